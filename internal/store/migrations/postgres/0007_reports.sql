-- Counts for overviews and reports, made from the ledger and never by hand.

-- What is to be counted anew. Each process marks in rows of its own.
CREATE TABLE rollup_stale (
	tenant TEXT NOT NULL,
	span   TEXT NOT NULL,               -- 'hour' or 'day'
	at     BIGINT NOT NULL,            -- when it begins, UTC
	epoch  BIGINT NOT NULL,            -- of the process that marked it
	stamp  BIGINT NOT NULL,            -- never used twice by that process
	PRIMARY KEY (tenant, span, at, epoch)
);

CREATE TABLE rollup_hours (
	tenant  TEXT NOT NULL,
	at      BIGINT NOT NULL,           -- hour in which the mail was received
	verdict TEXT NOT NULL,
	state   TEXT NOT NULL,
	n       BIGINT NOT NULL,           -- recipients' copies
	PRIMARY KEY (tenant, at, verdict, state)
);

CREATE TABLE rollup_days (
	tenant  TEXT NOT NULL,
	at      BIGINT NOT NULL,
	figures TEXT NOT NULL,              -- JSON without anything personal
	names   TEXT NOT NULL,              -- JSON with addresses; '' once the trace has forgotten the day
	PRIMARY KEY (tenant, at)
);

-- Scheduled reports that were sent, or are being sent.
CREATE TABLE report_slots (
	tenant   TEXT NOT NULL,
	slot     BIGINT NOT NULL,          -- when it was due
	tried_at BIGINT NOT NULL,
	sent_at  BIGINT,                   -- NULL until it was
	outcome  TEXT NOT NULL,
	PRIMARY KEY (tenant, slot)
);

INSERT INTO rollup_stale (tenant, span, at, epoch, stamp)
	SELECT DISTINCT tenant, 'hour', received_at / 3600000 * 3600000, 0, 0 FROM messages;
