-- Who changes a tenant's Exchange at the moment. A lease ends with its row, or with the process that took it.
CREATE TABLE leases (
	tenant TEXT NOT NULL,
	name   TEXT NOT NULL,     -- of what is leased
	lease  BIGINT NOT NULL,    -- epoch of the process, and a count
	who    TEXT NOT NULL,     -- the person
	what   TEXT NOT NULL,
	node   TEXT NOT NULL,
	since  BIGINT NOT NULL,
	PRIMARY KEY (tenant, name)
);

-- Scripts that were downloaded and may report back what they did. A token opens one run; the run has a key of its own.
CREATE TABLE script_runs (
	tenant     TEXT NOT NULL,
	id         TEXT NOT NULL,
	hash       BYTEA NOT NULL UNIQUE,    -- of the token, which opens one run
	key_hash   BYTEA UNIQUE,             -- of the key that this run got for it
	made_by    TEXT NOT NULL,
	made_at    BIGINT NOT NULL,
	until      BIGINT NOT NULL,       -- the token or the key is good no longer
	begun_at   BIGINT,               -- the token was used
	ended_at   BIGINT,
	progress   BYTEA,                 -- what the script told, as JSON
	PRIMARY KEY (tenant, id)
);
