-- A held copy that somebody deleted stays until expires_at, so that it can be
-- taken back.
ALTER TABLE recipients ADD COLUMN deleted_by TEXT NOT NULL DEFAULT ''; -- who deleted it
ALTER TABLE recipients ADD COLUMN kept_until INTEGER;                  -- expires_at before that

-- Who said why a message is read, once for each session.
CREATE TABLE readings (
	tenant  TEXT NOT NULL,
	message TEXT NOT NULL,
	n       INTEGER NOT NULL,
	session TEXT NOT NULL,                  -- sessions.id
	part    TEXT NOT NULL,                  -- 'header' or 'content'
	at      INTEGER NOT NULL,
	PRIMARY KEY (tenant, message, n, session)
) WITHOUT ROWID;

-- What people say that judging got wrong. Addresses and subjects stay in the trace.
CREATE TABLE verdict_reports (
	tenant   TEXT NOT NULL,
	message  TEXT NOT NULL,
	n        INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	actor    TEXT NOT NULL,
	verdict  TEXT NOT NULL,                 -- ours
	score    INTEGER NOT NULL,
	should   TEXT NOT NULL,                 -- theirs
	comment  TEXT NOT NULL,
	PRIMARY KEY (tenant, message, n)
) WITHOUT ROWID;
CREATE INDEX verdict_reports_at ON verdict_reports (tenant, at);
