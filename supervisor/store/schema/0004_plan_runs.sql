-- How plans run: the step that a task is at, and attempts that belong to a task and not to a session.

-- A task's session is named before the session is stored, so that a crash in between does not make two of one.
CREATE TABLE tasks_as_they_run (
    plan        TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    id          TEXT NOT NULL,
    position    INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    title       TEXT NOT NULL,
    needs       TEXT NOT NULL,
    digest      TEXT NOT NULL,
    status      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    session     TEXT,
    input_hash  TEXT,
    result      TEXT NOT NULL,
    step        INTEGER NOT NULL DEFAULT 0,
    released_by TEXT,
    not_before  INTEGER,
    started_at  INTEGER,
    ended_at    INTEGER,
    PRIMARY KEY (plan, revision, id),
    FOREIGN KEY (plan, revision) REFERENCES revisions (plan, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO tasks_as_they_run (
    plan, revision, id, position, kind, title, needs, digest, status, reason, attempts, session, input_hash, result,
    started_at, ended_at
)
SELECT
    plan, revision, id, position, kind, title, needs, digest, status, reason, attempts, session, input_hash, result,
    started_at, ended_at
FROM tasks;
DROP TABLE tasks;
ALTER TABLE tasks_as_they_run RENAME TO tasks;
CREATE INDEX tasks_live ON tasks (plan, revision) WHERE status IN ('ready', 'running', 'waiting_approval', 'blocked');
CREATE INDEX tasks_by_session ON tasks (session) WHERE session IS NOT NULL;

ALTER TABLE attempts ADD COLUMN plan TEXT;
ALTER TABLE attempts ADD COLUMN task TEXT;
ALTER TABLE attempts ADD COLUMN step INTEGER;
CREATE INDEX attempts_by_task ON attempts (plan, task) WHERE plan IS NOT NULL;
-- A task never has two live attempts, whatever the program believes.
CREATE UNIQUE INDEX attempts_one_live_of_task ON attempts (plan, task)
    WHERE plan IS NOT NULL AND status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');
