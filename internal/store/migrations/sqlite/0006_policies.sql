-- Every change of a tenant's rules, so that the last can be taken back.
CREATE TABLE rules_history (
	tenant     TEXT NOT NULL REFERENCES tenants (id),
	seq        INTEGER NOT NULL,             -- 1, 2, ... for each tenant
	at         INTEGER NOT NULL,
	actor      TEXT NOT NULL,
	what       TEXT NOT NULL,               -- in words
	before     TEXT NOT NULL,               -- JSON of mail.Rules without Lists
	after      TEXT NOT NULL,
	undone_at  INTEGER,
	undone_by  TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (tenant, seq)
) WITHOUT ROWID;

ALTER TABLE recipients ADD COLUMN forced INTEGER NOT NULL DEFAULT 0; -- 1: held whatever judging finds
ALTER TABLE list_entries ADD COLUMN expires_at INTEGER;
