-- Plans, their revisions, and the tasks of each revision.

CREATE TABLE plans (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL REFERENCES projects (id),
    title       TEXT NOT NULL,
    owner       TEXT,
    priority    INTEGER NOT NULL,
    advance     TEXT NOT NULL CHECK (advance IN ('manual', 'auto')),
    status      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    branch      TEXT,
    base_commit TEXT,
    worktree    TEXT,
    started_at  INTEGER,
    ended_at    INTEGER,
    archived_at INTEGER
) STRICT;
CREATE INDEX plans_by_status ON plans (status);
CREATE INDEX plans_by_project ON plans (project);

-- Whole documents, in the canonical form. A draft's is kept as it was written: it does not validate yet.
CREATE TABLE revisions (
    plan       TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number > 0),
    parent     INTEGER,
    document   TEXT NOT NULL,
    diff       TEXT NOT NULL,
    rationale  TEXT NOT NULL,
    author     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (plan, number),
    FOREIGN KEY (plan, parent) REFERENCES revisions (plan, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER revisions_are_never_changed BEFORE UPDATE ON revisions
BEGIN
    SELECT RAISE(ABORT, 'a revision is never changed');
END;

-- The state of each task of each revision; what it is stands in the revision's document.
CREATE TABLE tasks (
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
    session     TEXT REFERENCES sessions (id),
    input_hash  TEXT,
    result      TEXT NOT NULL,
    started_at  INTEGER,
    ended_at    INTEGER,
    PRIMARY KEY (plan, revision, id),
    FOREIGN KEY (plan, revision) REFERENCES revisions (plan, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_live ON tasks (plan, revision) WHERE status IN ('ready', 'running', 'waiting_approval', 'blocked');
CREATE INDEX tasks_by_session ON tasks (session) WHERE session IS NOT NULL;
