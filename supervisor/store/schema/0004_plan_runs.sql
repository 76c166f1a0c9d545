-- How plans run: the step that a task is at, and attempts that belong to a task and not to a session.

ALTER TABLE tasks ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN released_by TEXT;
ALTER TABLE tasks ADD COLUMN not_before INTEGER;

ALTER TABLE attempts ADD COLUMN plan TEXT;
ALTER TABLE attempts ADD COLUMN task TEXT;
ALTER TABLE attempts ADD COLUMN step INTEGER;
CREATE INDEX attempts_by_task ON attempts (plan, task) WHERE plan IS NOT NULL;
-- A task never has two live attempts, whatever the program believes.
CREATE UNIQUE INDEX attempts_one_live_of_task ON attempts (plan, task)
    WHERE plan IS NOT NULL AND status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');
