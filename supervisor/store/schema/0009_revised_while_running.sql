-- Tasks that run while their plan is revised: what they go by, what becomes of them, and which attempts do not count.

ALTER TABLE tasks ADD COLUMN goes_by INTEGER;
ALTER TABLE tasks ADD COLUMN fate TEXT CHECK (fate IN ('stop', 'restart'));
ALTER TABLE tasks ADD COLUMN forgiven INTEGER NOT NULL DEFAULT 0;
