-- Times are Unix milliseconds. The tenant comes first in every key.
-- The ledger's tables are WITHOUT ROWID, so that a row is one entry in one tree.

-- One row for each process that ever opened the store; epochs are never used twice.
CREATE TABLE nodes (
	epoch   INTEGER PRIMARY KEY AUTOINCREMENT,
	node    TEXT NOT NULL,
	beat_at INTEGER NOT NULL
);

CREATE TABLE messages (
	tenant      TEXT NOT NULL,
	id          TEXT NOT NULL,
	received_at INTEGER NOT NULL,
	size        INTEGER NOT NULL,
	rcpts       INTEGER NOT NULL,           -- recipients, for ever
	octets      INTEGER NOT NULL DEFAULT 0, -- octets.id; 0 when they are in the spool
	sender      TEXT NOT NULL,              -- reverse-path
	from_addr   TEXT NOT NULL,              -- of the From field
	subject     TEXT NOT NULL,
	message_id  TEXT NOT NULL,              -- Message-ID field
	note        TEXT NOT NULL,
	digest      BLOB,                       -- first 16 octets, for resends
	envelope    TEXT NOT NULL,              -- JSON
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX messages_received ON messages (tenant, received_at, digest);

CREATE TABLE recipients (
	tenant     TEXT NOT NULL,
	message    TEXT NOT NULL,
	n          INTEGER NOT NULL,
	addr       TEXT NOT NULL,
	domain     TEXT NOT NULL,
	notify     TEXT NOT NULL,
	orcpt      TEXT NOT NULL,
	state      TEXT NOT NULL,
	verdict    TEXT NOT NULL,
	action     TEXT NOT NULL,
	score      INTEGER NOT NULL,
	attempts   INTEGER NOT NULL,
	next_at    INTEGER,                     -- NULL when nothing is to do
	lease      INTEGER NOT NULL,            -- epoch << 32 | number of the claim; 0 when free
	updated_at INTEGER NOT NULL,
	held_at    INTEGER,
	expires_at INTEGER,
	mta        TEXT NOT NULL,
	reply      TEXT NOT NULL,
	reasons    TEXT NOT NULL,               -- one a line
	events     TEXT NOT NULL,               -- "ms TAB state TAB text" a line, oldest first
	PRIMARY KEY (tenant, message, n)
) WITHOUT ROWID;
CREATE INDEX recipients_due ON recipients (tenant, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX recipients_held ON recipients (tenant, held_at) WHERE state = 'held';
CREATE INDEX recipients_expiry ON recipients (expires_at) WHERE state = 'held';

-- Sealed content of messages small enough to ride in the ledger's commit.
CREATE TABLE octets (
	id     INTEGER PRIMARY KEY,
	tenant TEXT NOT NULL,
	body   BLOB NOT NULL
);

CREATE TABLE judgements (
	tenant      TEXT NOT NULL,
	message     TEXT NOT NULL,
	origin_ip   TEXT NOT NULL,
	origin_helo TEXT NOT NULL,
	body        TEXT NOT NULL,              -- JSON
	PRIMARY KEY (tenant, message)
) WITHOUT ROWID;

CREATE TABLE tenants (
	id          TEXT PRIMARY KEY,
	name        TEXT NOT NULL,
	token       TEXT NOT NULL,
	wrapped_key BLOB NOT NULL,
	created_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE domains (
	tenant       TEXT NOT NULL REFERENCES tenants (id),
	name         TEXT NOT NULL UNIQUE,
	architecture TEXT NOT NULL,
	enabled      INTEGER NOT NULL,
	disabled     INTEGER NOT NULL,
	mtas         TEXT NOT NULL,             -- JSON
	PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

CREATE TABLE keys (
	tenant     TEXT NOT NULL REFERENCES tenants (id),
	id         TEXT NOT NULL,
	hash       BLOB NOT NULL UNIQUE,
	created_at INTEGER NOT NULL,
	retired_at INTEGER,
	seen_at    INTEGER,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE rules (
	tenant TEXT PRIMARY KEY REFERENCES tenants (id),
	body   TEXT NOT NULL                    -- JSON of mail.Rules without Lists
) WITHOUT ROWID;

CREATE TABLE list_entries (
	tenant     TEXT NOT NULL REFERENCES tenants (id),
	id         TEXT NOT NULL,
	allow      INTEGER NOT NULL,
	address    TEXT NOT NULL,
	domain     TEXT NOT NULL,
	network    TEXT NOT NULL,
	any_auth   INTEGER NOT NULL,
	note       TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE users (
	tenant     TEXT NOT NULL,               -- '' for an administrator of the whole system
	id         TEXT NOT NULL,
	email      TEXT NOT NULL UNIQUE,
	role       TEXT NOT NULL,
	password   TEXT,                        -- hash; NULL when the user signs in elsewhere
	created_at INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE audit (
	seq    INTEGER PRIMARY KEY,
	at     INTEGER NOT NULL,
	actor  TEXT NOT NULL,
	tenant TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	before TEXT NOT NULL,
	after  TEXT NOT NULL,
	mac    BLOB NOT NULL                    -- over this row and the mac before it
);
CREATE TRIGGER audit_keep BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_stay BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE alarms (
	tenant   TEXT NOT NULL,
	kind     TEXT NOT NULL,
	text     TEXT NOT NULL,
	count    INTEGER NOT NULL,
	first_at INTEGER NOT NULL,
	last_at  INTEGER NOT NULL,
	PRIMARY KEY (tenant, kind, text)
) WITHOUT ROWID;

CREATE TABLE settings (
	tenant TEXT NOT NULL,
	name   TEXT NOT NULL,
	value  BLOB NOT NULL,
	PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

CREATE TABLE counters (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('generation', 1), ('clean', 1);
