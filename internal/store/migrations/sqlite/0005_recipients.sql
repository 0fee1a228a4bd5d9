-- What recipients do themselves: digests, requests, entries and pages of their own.
-- Addresses are as mail.FoldAddress gives them.

ALTER TABLE list_entries ADD COLUMN recipient TEXT NOT NULL DEFAULT ''; -- whose own entry; '' for the whole tenant

CREATE INDEX recipients_own ON recipients (tenant, lower(addr), held_at) WHERE state = 'held';

CREATE TABLE persons (
	tenant    TEXT NOT NULL,
	addr      TEXT NOT NULL,
	settings  TEXT NOT NULL,               -- JSON
	digest_at INTEGER NOT NULL DEFAULT 0,  -- digests cover what was held before
	PRIMARY KEY (tenant, addr)
) WITHOUT ROWID;

CREATE TABLE digests (
	tenant  TEXT NOT NULL,
	addr    TEXT NOT NULL,
	slot    INTEGER NOT NULL,              -- covers what was held before
	since   INTEGER NOT NULL,              -- and since this
	message TEXT NOT NULL,                 -- id of the mail, given before it is made
	lease   INTEGER NOT NULL,              -- until when who makes it may take
	tries   INTEGER NOT NULL,
	made_at INTEGER,                       -- NULL until it is in the ledger
	PRIMARY KEY (tenant, addr, slot)
) WITHOUT ROWID;
CREATE INDEX digests_open ON digests (lease) WHERE made_at IS NULL;

-- Links that were used: each acts once.
CREATE TABLE tickets (
	tenant  TEXT NOT NULL,
	hash    BLOB NOT NULL,
	used_at INTEGER NOT NULL,
	PRIMARY KEY (tenant, hash)
) WITHOUT ROWID;

-- What recipients asked administrators to release.
CREATE TABLE requests (
	tenant      TEXT NOT NULL,
	message     TEXT NOT NULL,
	n           INTEGER NOT NULL,
	addr        TEXT NOT NULL,
	state       TEXT NOT NULL,             -- 'asked', 'approved' or 'declined'
	asked_at    INTEGER NOT NULL,
	answer      TEXT NOT NULL,
	answered_by TEXT NOT NULL,
	answered_at INTEGER,
	PRIMARY KEY (tenant, message, n)
) WITHOUT ROWID;
CREATE INDEX requests_open ON requests (tenant, asked_at) WHERE state = 'asked';

-- Sign-in links and browsers of recipients, by the hash of their token.
CREATE TABLE person_links (
	hash    BLOB PRIMARY KEY,
	tenant  TEXT NOT NULL,
	addr    TEXT NOT NULL,
	until   INTEGER NOT NULL,
	used_at INTEGER
) WITHOUT ROWID;

CREATE TABLE person_sessions (
	hash       BLOB PRIMARY KEY,
	id         TEXT NOT NULL UNIQUE,
	tenant     TEXT NOT NULL,
	addr       TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	address    TEXT NOT NULL,
	agent      TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX person_sessions_addr ON person_sessions (tenant, addr);
