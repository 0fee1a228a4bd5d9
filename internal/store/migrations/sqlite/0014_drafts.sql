-- What a draft of a policy did differently from the rules that count: sums of a day, and the copies.
CREATE TABLE draft_days (
	tenant     TEXT NOT NULL,
	draft      TEXT NOT NULL,
	day        INTEGER NOT NULL,    -- begin of the day, UTC
	copies     INTEGER NOT NULL,    -- of recipients in its scope
	held       INTEGER NOT NULL,    -- by the rules without it
	would_hold INTEGER NOT NULL,    -- by the rules with it
	freed      INTEGER NOT NULL,    -- held without it, delivered with it
	caught     INTEGER NOT NULL,    -- the other way
	PRIMARY KEY (tenant, draft, day)
) WITHOUT ROWID;

CREATE TABLE draft_moves (
	tenant     TEXT NOT NULL,
	draft      TEXT NOT NULL,
	at         INTEGER NOT NULL,
	message    TEXT NOT NULL,
	n          INTEGER NOT NULL,
	caught     INTEGER NOT NULL,
	acted      INTEGER NOT NULL,    -- the draft counted for this recipient
	was        TEXT NOT NULL,     -- verdict without it
	verdict    TEXT NOT NULL,     -- with it
	points     INTEGER NOT NULL,
	PRIMARY KEY (tenant, draft, at, message, n)
) WITHOUT ROWID;

-- Held mail that is judged again, or was last: how far that is, so that it is known after a restart and goes on.
CREATE TABLE agains (
	tenant     TEXT NOT NULL PRIMARY KEY,
	stage      TEXT NOT NULL,
	body       TEXT NOT NULL      -- JSON of replay.Progress
) WITHOUT ROWID;
