-- Times are Unix milliseconds. The tenant comes first in every key.
-- The ledger's tables are, so that a row is one entry in one tree.

-- One row for each process that ever opened the store; epochs are never used twice.
CREATE TABLE nodes (
	epoch   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	node    TEXT NOT NULL,
	beat_at BIGINT NOT NULL
);

CREATE TABLE messages (
	tenant      TEXT NOT NULL,
	id          TEXT NOT NULL,
	received_at BIGINT NOT NULL,
	size        BIGINT NOT NULL,
	rcpts       BIGINT NOT NULL,           -- recipients, for ever
	octets      BIGINT NOT NULL DEFAULT 0, -- octets.id; 0 when they are in the spool
	sender      TEXT NOT NULL,              -- reverse-path
	from_addr   TEXT NOT NULL,              -- of the From field
	subject     TEXT NOT NULL,
	message_id  TEXT NOT NULL,              -- Message-ID field
	note        TEXT NOT NULL,
	digest      BYTEA,                       -- first 16 octets, for resends
	envelope    TEXT NOT NULL,              -- JSON
	PRIMARY KEY (tenant, id)
);
CREATE INDEX messages_received ON messages (tenant, received_at);
CREATE INDEX messages_digest ON messages (tenant, digest) WHERE digest IS NOT NULL;

CREATE TABLE recipients (
	tenant     TEXT NOT NULL,
	message    TEXT NOT NULL,
	n          BIGINT NOT NULL,
	addr       TEXT NOT NULL,
	domain     TEXT NOT NULL,
	notify     TEXT NOT NULL,
	orcpt      TEXT NOT NULL,
	state      TEXT NOT NULL,
	verdict    TEXT NOT NULL,
	action     TEXT NOT NULL,
	score      BIGINT NOT NULL,
	attempts   BIGINT NOT NULL,
	next_at    BIGINT,                     -- NULL when nothing is to do
	lease      BIGINT NOT NULL,            -- epoch << 32 | number of the claim; 0 when free
	updated_at BIGINT NOT NULL,
	held_at    BIGINT,
	expires_at BIGINT,
	mta        TEXT NOT NULL,
	reply      TEXT NOT NULL,
	reasons    TEXT NOT NULL,               -- one a line
	events     TEXT NOT NULL,               -- "ms TAB state TAB text" a line, oldest first
	PRIMARY KEY (tenant, message, n)
) WITH (fillfactor = 80);
CREATE INDEX recipients_due ON recipients (tenant, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX recipients_held ON recipients (tenant, held_at) WHERE state = 'held';
CREATE INDEX recipients_expiry ON recipients (expires_at) WHERE state = 'held';

-- Sealed content of messages small enough to ride in the ledger's commit.
CREATE TABLE octets (
	id     BIGINT NOT NULL,
	tenant TEXT NOT NULL,
	body   BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE TABLE judgements (
	tenant      TEXT NOT NULL,
	message     TEXT NOT NULL,
	origin_ip   TEXT NOT NULL,
	origin_helo TEXT NOT NULL,
	body        TEXT NOT NULL,              -- JSON
	PRIMARY KEY (tenant, message)
);

CREATE TABLE tenants (
	id          TEXT PRIMARY KEY,
	name        TEXT NOT NULL,
	token       TEXT NOT NULL,
	wrapped_key BYTEA NOT NULL,
	created_at  BIGINT NOT NULL
);

CREATE TABLE domains (
	tenant       TEXT NOT NULL REFERENCES tenants (id),
	name         TEXT NOT NULL UNIQUE,
	architecture TEXT NOT NULL,
	enabled      BIGINT NOT NULL,
	disabled     BIGINT NOT NULL,
	mtas         TEXT NOT NULL,             -- JSON
	PRIMARY KEY (tenant, name)
);

CREATE TABLE keys (
	tenant     TEXT NOT NULL REFERENCES tenants (id),
	id         TEXT NOT NULL,
	hash       BYTEA NOT NULL UNIQUE,
	created_at BIGINT NOT NULL,
	retired_at BIGINT,
	seen_at    BIGINT,
	PRIMARY KEY (tenant, id)
);

CREATE TABLE rules (
	tenant TEXT PRIMARY KEY REFERENCES tenants (id),
	body   TEXT NOT NULL                    -- JSON of mail.Rules without Lists
);

CREATE TABLE list_entries (
	tenant     TEXT NOT NULL REFERENCES tenants (id),
	id         TEXT NOT NULL,
	allow      BIGINT NOT NULL,
	address    TEXT NOT NULL,
	domain     TEXT NOT NULL,
	network    TEXT NOT NULL,
	any_auth   BIGINT NOT NULL,
	note       TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE TABLE users (
	tenant     TEXT NOT NULL,               -- '' for an administrator of the whole system
	id         TEXT NOT NULL,
	email      TEXT NOT NULL UNIQUE,
	role       TEXT NOT NULL,
	password   TEXT,                        -- hash; NULL when the user signs in elsewhere
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE TABLE audit (
	seq    BIGINT PRIMARY KEY,
	at     BIGINT NOT NULL,
	actor  TEXT NOT NULL,
	tenant TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	before TEXT NOT NULL,
	after  TEXT NOT NULL,
	mac    BYTEA NOT NULL                    -- over this row and the mac before it
);

CREATE TABLE alarms (
	tenant   TEXT NOT NULL,
	kind     TEXT NOT NULL,
	text     TEXT NOT NULL,
	count    BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	last_at  BIGINT NOT NULL,
	PRIMARY KEY (tenant, kind, text)
);

CREATE TABLE settings (
	tenant TEXT NOT NULL,
	name   TEXT NOT NULL,
	value  BYTEA NOT NULL,
	PRIMARY KEY (tenant, name)
);

CREATE TABLE counters (
	name  TEXT PRIMARY KEY,
	value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('generation', 1), ('clean', 1);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse();
