-- What search proposes from; the ledger decides. It can be thrown away and is made again.

-- Up to where each tenant's mail is in blocks.
CREATE TABLE search_marks (
	tenant   TEXT PRIMARY KEY,
	until_at BIGINT NOT NULL           -- received before this
);

-- Messages of one tenant that follow each other. Blocks do not overlap, and each begins where the one before ends.
CREATE TABLE search_blocks (
	tenant    TEXT NOT NULL,
	until_at  BIGINT NOT NULL,         -- received before this
	from_at   BIGINT NOT NULL,         -- and from this on
	first     BIGINT NOT NULL,         -- search_pages.id of its first page; the others follow
	messages  BIGINT NOT NULL,
	pages     BIGINT NOT NULL,
	directory BYTEA NOT NULL,            -- see searchpage.go
	PRIMARY KEY (tenant, until_at)
);

CREATE TABLE search_pages (
	id     BIGINT NOT NULL,
	tenant TEXT NOT NULL,
	body   BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);
ALTER TABLE search_pages ALTER COLUMN body SET STORAGE EXTERNAL; -- packed already

-- Pages that no block has: of one that was replaced, or that is being built.
CREATE TABLE search_garbage (
	tenant TEXT NOT NULL,
	first  BIGINT NOT NULL,
	pages  BIGINT NOT NULL,
	PRIMARY KEY (tenant, first)
);

-- Messages that changed after they may have been put into a block.
CREATE TABLE search_late (
	tenant  TEXT NOT NULL,
	message TEXT NOT NULL,
	stamp   BIGINT NOT NULL,           -- never used twice
	PRIMARY KEY (tenant, message)
);

-- Filters that people keep under a name.
CREATE TABLE saved_filters (
	tenant TEXT NOT NULL,
	owner  TEXT NOT NULL,               -- e-mail address; '' for everybody of the tenant
	page   TEXT NOT NULL,               -- 'trace' or 'quarantine'
	name   TEXT NOT NULL,
	query  TEXT NOT NULL,               -- as in the page's address
	PRIMARY KEY (tenant, owner, page, name)
);

-- For counting what is held by verdict.
CREATE INDEX recipients_held_verdict ON recipients (tenant, verdict, held_at) WHERE state = 'held';
