-- Browsers that a user signed in with before are counted by themselves; this one more makes them strangers.
ALTER TABLE users ADD COLUMN browsers BIGINT NOT NULL DEFAULT 0;
