-- Where a token counts from, and how often a second factor was wrong in a row.

ALTER TABLE api_tokens ADD COLUMN networks TEXT NOT NULL DEFAULT ''; -- one a line; '' is everywhere
ALTER TABLE users ADD COLUMN factor_failures INTEGER NOT NULL DEFAULT 0;
