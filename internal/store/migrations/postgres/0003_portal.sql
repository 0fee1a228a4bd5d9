-- Who signs in to the portal. Secrets are hashes, or sealed by the caller.

ALTER TABLE users ADD COLUMN factor BYTEA;                          -- sealed secret of the second factor; NULL until it is set up
ALTER TABLE users ADD COLUMN factor_step BIGINT NOT NULL DEFAULT 0;   -- of the last code taken: each counts once
ALTER TABLE users ADD COLUMN recovery TEXT NOT NULL DEFAULT '';      -- hashes of recovery codes, one a line
ALTER TABLE users ADD COLUMN invite BYTEA;                          -- hash of the token that sets the first password
ALTER TABLE users ADD COLUMN invite_until BIGINT;
ALTER TABLE users ADD COLUMN disabled_at BIGINT;
ALTER TABLE users ADD COLUMN signed_in_at BIGINT;

CREATE TABLE sessions (
	hash       BYTEA PRIMARY KEY,           -- of the cookie's token
	id         TEXT NOT NULL UNIQUE,        -- shown in lists
	email      TEXT NOT NULL,               -- of the user
	stage      TEXT NOT NULL,               -- 'factor', 'enrol' or 'in'
	created_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL,
	fresh_at   BIGINT NOT NULL,               -- when a factor was last proved
	address    TEXT NOT NULL,
	agent      TEXT NOT NULL
);
CREATE INDEX sessions_email ON sessions (email);

-- Failed sign-ins, by account and by address.
CREATE TABLE failures (
	who TEXT NOT NULL,
	at  BIGINT NOT NULL,
	n   BIGINT NOT NULL,
	PRIMARY KEY (who, at)
);
