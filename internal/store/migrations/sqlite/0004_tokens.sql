-- What programs show the API. The token itself is nowhere kept.

CREATE TABLE api_tokens (
	tenant     TEXT NOT NULL,               -- '' for the whole system
	id         TEXT NOT NULL,               -- part of the token, shown in lists
	hash       BLOB NOT NULL UNIQUE,        -- SHA-256 of the whole token
	name       TEXT NOT NULL,
	email      TEXT NOT NULL,               -- of the user whose token it is
	scopes     TEXT NOT NULL,               -- one a line
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	revoked_at INTEGER,
	used_at    INTEGER,                     -- to the minute
	used_from  TEXT NOT NULL DEFAULT '',    -- address of the last use
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX api_tokens_ended ON api_tokens (expires_at);
