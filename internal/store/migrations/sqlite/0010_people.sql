-- How people prove who they are, and what limits their tenants have.

CREATE TABLE passkeys (
	id         BLOB PRIMARY KEY,            -- credential id, chosen by the authenticator
	email      TEXT NOT NULL,               -- of the user
	name       TEXT NOT NULL,               -- as the user calls it
	body       BLOB NOT NULL,               -- credential record, sealed by the caller
	created_at INTEGER NOT NULL,
	used_at    INTEGER
) WITHOUT ROWID;
CREATE INDEX passkeys_email ON passkeys (email);

-- Accounts elsewhere. The address is never part of the key: providers let people change it.
CREATE TABLE identities (
	issuer     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	email      TEXT NOT NULL,               -- of the user here
	created_at INTEGER NOT NULL,
	PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX identities_email ON identities (email);

CREATE TABLE sign_ins (
	email    TEXT NOT NULL,
	at       INTEGER NOT NULL,
	how      TEXT NOT NULL,                 -- 'password', 'passkey', 'provider'
	good     INTEGER NOT NULL,
	unknown  INTEGER NOT NULL,              -- from a browser or network not seen before
	address  TEXT NOT NULL,
	agent    TEXT NOT NULL,
	session  TEXT NOT NULL,                 -- its id; '' if it failed
	PRIMARY KEY (email, at, session)
) WITHOUT ROWID;

-- What two people have to agree to.
CREATE TABLE approvals (
	tenant     TEXT NOT NULL,               -- '' for the whole system
	id         TEXT NOT NULL,
	route      TEXT NOT NULL,
	path       TEXT NOT NULL,
	title      TEXT NOT NULL,
	digest     BLOB NOT NULL,               -- of who asked for what, with every value
	body       BLOB NOT NULL,               -- the form, sealed by the caller
	asked_by   TEXT NOT NULL,
	asked_at   INTEGER NOT NULL,
	until      INTEGER NOT NULL,
	state      TEXT NOT NULL,               -- 'waiting', 'agreed', 'refused', 'done'
	decided_by TEXT NOT NULL,
	decided_at INTEGER,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- What counts once, by its hash, for as long as it could be shown again.
CREATE TABLE spent (
	what BLOB PRIMARY KEY,
	at   INTEGER NOT NULL
) WITHOUT ROWID;

ALTER TABLE sessions ADD COLUMN how TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN limits TEXT NOT NULL DEFAULT ''; -- JSON of mail.Limits
