-- Who signs in to the portal. Secrets are hashes, or sealed by the caller.

ALTER TABLE users ADD COLUMN factor BLOB;                          -- sealed secret of the second factor; NULL until it is set up
ALTER TABLE users ADD COLUMN factor_step INTEGER NOT NULL DEFAULT 0;   -- of the last code taken: each counts once
ALTER TABLE users ADD COLUMN recovery TEXT NOT NULL DEFAULT '';      -- hashes of recovery codes, one a line
ALTER TABLE users ADD COLUMN invite BLOB;                          -- hash of the token that sets the first password
ALTER TABLE users ADD COLUMN invite_until INTEGER;
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
ALTER TABLE users ADD COLUMN signed_in_at INTEGER;

CREATE TABLE sessions (
	hash       BLOB PRIMARY KEY,           -- of the cookie's token
	id         TEXT NOT NULL UNIQUE,        -- shown in lists
	email      TEXT NOT NULL,               -- of the user
	stage      TEXT NOT NULL,               -- 'factor', 'enrol' or 'in'
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	fresh_at   INTEGER NOT NULL,               -- when a factor was last proved
	address    TEXT NOT NULL,
	agent      TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_email ON sessions (email);

-- Failed sign-ins, by account and by address.
CREATE TABLE failures (
	who TEXT NOT NULL,
	at  INTEGER NOT NULL,
	n   INTEGER NOT NULL,
	PRIMARY KEY (who, at)
) WITHOUT ROWID;
