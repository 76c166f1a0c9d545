-- Plans that are run again and again, and what came of each time that they were due.

CREATE TABLE schedules (
    id         TEXT PRIMARY KEY,
    plan       TEXT NOT NULL,
    project    TEXT NOT NULL,
    cron       TEXT NOT NULL,
    timezone   TEXT NOT NULL,
    missed     TEXT NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
    approval   TEXT NOT NULL CHECK (approval IN ('each', 'auto')),
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    paused_at  INTEGER,
    removed_at INTEGER
) STRICT;
CREATE INDEX schedules_kept ON schedules (created_at) WHERE removed_at IS NULL;

-- The time that it was due is the key: whatever crashes, there is one run for it.
CREATE TABLE schedule_runs (
    schedule TEXT NOT NULL REFERENCES schedules (id),
    due      INTEGER NOT NULL,
    plan     TEXT NOT NULL,
    state    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    approval TEXT REFERENCES approvals (id),
    PRIMARY KEY (schedule, due)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_runs_open ON schedule_runs (due) WHERE state IN ('due', 'waiting', 'starting');
