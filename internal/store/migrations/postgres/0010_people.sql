-- How people prove who they are, and what limits their tenants have.

CREATE TABLE passkeys (
	id         BYTEA PRIMARY KEY,            -- credential id, chosen by the authenticator
	email      TEXT NOT NULL,               -- of the user
	name       TEXT NOT NULL,               -- as the user calls it
	body       BYTEA NOT NULL,               -- credential record, sealed by the caller
	created_at BIGINT NOT NULL,
	used_at    BIGINT
);
CREATE INDEX passkeys_email ON passkeys (email);

-- Accounts elsewhere. The address is never part of the key: providers let people change it.
CREATE TABLE identities (
	issuer     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	email      TEXT NOT NULL,               -- of the user here
	created_at BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_email ON identities (email);

CREATE TABLE sign_ins (
	email    TEXT NOT NULL,
	at       BIGINT NOT NULL,
	how      TEXT NOT NULL,                 -- 'password', 'passkey', 'provider'
	good     BIGINT NOT NULL,
	unknown  BIGINT NOT NULL,              -- from a browser or network not seen before
	address  TEXT NOT NULL,
	agent    TEXT NOT NULL,
	session  TEXT NOT NULL,                 -- its id; '' if it failed
	PRIMARY KEY (email, at, session)
);

-- What two people have to agree to.
CREATE TABLE approvals (
	tenant     TEXT NOT NULL,               -- '' for the whole system
	id         TEXT NOT NULL,
	route      TEXT NOT NULL,
	path       TEXT NOT NULL,
	title      TEXT NOT NULL,
	digest     BYTEA NOT NULL,               -- of who asked for what, with every value
	body       BYTEA NOT NULL,               -- the form, sealed by the caller
	asked_by   TEXT NOT NULL,
	asked_at   BIGINT NOT NULL,
	until      BIGINT NOT NULL,
	state      TEXT NOT NULL,               -- 'waiting', 'agreed', 'refused', 'done'
	decided_by TEXT NOT NULL,
	decided_at BIGINT,
	PRIMARY KEY (tenant, id)
);

-- What counts once, by its hash, for as long as it could be shown again.
CREATE TABLE spent (
	what BYTEA PRIMARY KEY,
	at   BIGINT NOT NULL
);

ALTER TABLE sessions ADD COLUMN how TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN limits TEXT NOT NULL DEFAULT ''; -- JSON of mail.Limits
