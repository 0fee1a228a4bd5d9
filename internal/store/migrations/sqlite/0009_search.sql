-- What search proposes from; the ledger decides. It can be thrown away and is made again.

-- Up to where each tenant's mail is in blocks.
CREATE TABLE search_marks (
	tenant   TEXT PRIMARY KEY,
	until_at INTEGER NOT NULL           -- received before this
) WITHOUT ROWID;

-- Messages of one tenant that follow each other. Blocks do not overlap, and each begins where the one before ends.
CREATE TABLE search_blocks (
	tenant    TEXT NOT NULL,
	until_at  INTEGER NOT NULL,         -- received before this
	from_at   INTEGER NOT NULL,         -- and from this on
	first     INTEGER NOT NULL,         -- search_pages.id of its first page; the others follow
	messages  INTEGER NOT NULL,
	pages     INTEGER NOT NULL,
	directory BLOB NOT NULL,            -- see searchpage.go
	PRIMARY KEY (tenant, until_at)
) WITHOUT ROWID;

CREATE TABLE search_pages (
	id     INTEGER PRIMARY KEY,
	tenant TEXT NOT NULL,
	body   BLOB NOT NULL
);

-- Pages that no block has: of one that was replaced, or that is being built.
CREATE TABLE search_garbage (
	tenant TEXT NOT NULL,
	first  INTEGER NOT NULL,
	pages  INTEGER NOT NULL,
	PRIMARY KEY (tenant, first)
) WITHOUT ROWID;

-- Messages that changed after they may have been put into a block.
CREATE TABLE search_late (
	tenant  TEXT NOT NULL,
	message TEXT NOT NULL,
	stamp   INTEGER NOT NULL,           -- never used twice
	PRIMARY KEY (tenant, message)
) WITHOUT ROWID;

-- Filters that people keep under a name.
CREATE TABLE saved_filters (
	tenant TEXT NOT NULL,
	owner  TEXT NOT NULL,               -- e-mail address; '' for everybody of the tenant
	page   TEXT NOT NULL,               -- 'trace' or 'quarantine'
	name   TEXT NOT NULL,
	query  TEXT NOT NULL,               -- as in the page's address
	PRIMARY KEY (tenant, owner, page, name)
) WITHOUT ROWID;

-- For counting what is held by verdict.
CREATE INDEX recipients_held_verdict ON recipients (tenant, verdict, held_at) WHERE state = 'held';
