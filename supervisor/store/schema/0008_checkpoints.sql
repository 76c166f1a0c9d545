-- Checkpoints: what they hold is in the project's repository, under their ref; the record stays when that is gone.

CREATE TABLE checkpoints (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    project     TEXT NOT NULL REFERENCES projects (id),
    worktree    TEXT NOT NULL,
    ref         TEXT NOT NULL,
    git_commit  TEXT NOT NULL,
    reason      TEXT NOT NULL,
    files       INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    plan        TEXT,
    task        TEXT,
    session     TEXT REFERENCES sessions (id),
    head        TEXT,
    branch      TEXT,
    environment TEXT,
    decisions   TEXT NOT NULL,
    outputs     TEXT NOT NULL,
    restored_at INTEGER,
    expired_at  INTEGER
) STRICT;
CREATE INDEX checkpoints_by_plan ON checkpoints (plan, id) WHERE plan IS NOT NULL AND expired_at IS NULL;
CREATE INDEX checkpoints_by_session ON checkpoints (session, id) WHERE session IS NOT NULL AND expired_at IS NULL;
CREATE INDEX checkpoints_by_name ON checkpoints (name);
