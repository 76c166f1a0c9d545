-- The first schema. Times are milliseconds since the epoch, UTC; JSON is kept as text.

-- Which program brought the database to which version.
CREATE TABLE migrations (
    number     INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    program    TEXT NOT NULL
) STRICT;

-- One row that the health check writes and reads back.
CREATE TABLE pulse (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
) STRICT;
INSERT INTO pulse (id, at) VALUES (1, 0);

CREATE TABLE projects (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    root           TEXT NOT NULL UNIQUE,
    default_branch TEXT NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id                TEXT PRIMARY KEY,
    name              TEXT NOT NULL,
    project           TEXT NOT NULL REFERENCES projects (id),
    mode              TEXT NOT NULL,
    agent             TEXT NOT NULL,
    executor          TEXT NOT NULL,
    work              TEXT NOT NULL,
    status            TEXT NOT NULL,
    reason            TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    folder            TEXT NOT NULL UNIQUE,
    task              TEXT,
    parent            TEXT REFERENCES sessions (id),
    priority          INTEGER NOT NULL,
    activity          TEXT NOT NULL,
    stats             TEXT NOT NULL,
    agent_session_ids TEXT NOT NULL,
    worktree          TEXT,
    branch            TEXT,
    base_ref          TEXT,
    base_commit       TEXT,
    image             TEXT,
    container         TEXT,
    tmux_target       TEXT,
    budget_usd        REAL,
    timeout_s         REAL,
    attempts          INTEGER NOT NULL,
    exit_code         INTEGER,
    started_at        INTEGER,
    ended_at          INTEGER,
    last_output_at    INTEGER,
    last_heartbeat_at INTEGER,
    resume_at         INTEGER
) STRICT;
CREATE INDEX sessions_by_status ON sessions (status);
CREATE INDEX sessions_by_project ON sessions (project);
CREATE INDEX sessions_by_name ON sessions (name);

CREATE TABLE attempts (
    id                TEXT PRIMARY KEY,
    session           TEXT REFERENCES sessions (id),
    number            INTEGER NOT NULL,
    fencing_token     INTEGER NOT NULL,
    executor          TEXT NOT NULL,
    status            TEXT NOT NULL,
    boot_id           TEXT NOT NULL,
    claimed_at        INTEGER NOT NULL,
    work              TEXT NOT NULL,
    handle            TEXT,
    pid               INTEGER,
    pid_started_at    INTEGER,
    exit_code         INTEGER,
    reason            TEXT,
    last_error        TEXT,
    intent            TEXT,
    input_closed_at   INTEGER,
    started_at        INTEGER,
    ended_at          INTEGER,
    last_output_at    INTEGER,
    last_heartbeat_at INTEGER,
    UNIQUE (session, number),
    UNIQUE (session, fencing_token)
) STRICT;
CREATE INDEX attempts_live ON attempts (id)
    WHERE status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');
-- A session never has two live attempts, whatever the program believes.
CREATE UNIQUE INDEX attempts_one_live ON attempts (session)
    WHERE status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');

-- How far each session's log was read; partials are the unfinished lines per stream.
CREATE TABLE spools (
    session    TEXT PRIMARY KEY REFERENCES sessions (id),
    inode      INTEGER NOT NULL,
    "offset"   INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    partials   TEXT NOT NULL
) STRICT;

-- History. No foreign keys: it outlives what it speaks of, and appending stays cheap.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    time       INTEGER NOT NULL,
    project    TEXT,
    plan       TEXT,
    task       TEXT,
    session    TEXT,
    attempt    TEXT,
    phase      TEXT NOT NULL,
    type       TEXT NOT NULL,
    severity   TEXT NOT NULL,
    source     TEXT NOT NULL,
    payload    TEXT NOT NULL,
    log_offset INTEGER,
    log_index  INTEGER
) STRICT;
CREATE INDEX events_by_session ON events (session) WHERE session IS NOT NULL;
CREATE INDEX events_by_plan ON events (plan) WHERE plan IS NOT NULL;
CREATE INDEX events_by_type ON events (type);
CREATE INDEX events_by_time ON events (time);
-- Each byte of a log is ingested once.
CREATE UNIQUE INDEX events_once ON events (session, log_offset, log_index) WHERE log_offset IS NOT NULL;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    time      INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    before    TEXT,
    after     TEXT,
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL UNIQUE
) STRICT;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- What is to be written to an attempt's stdin or terminal. A request is answered once.
CREATE TABLE outbox (
    id         TEXT PRIMARY KEY,
    session    TEXT NOT NULL REFERENCES sessions (id),
    attempt    TEXT REFERENCES attempts (id),
    kind       TEXT NOT NULL CHECK (kind IN ('message', 'reply')),
    request_id TEXT,
    body       BLOB NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'delivered', 'failed')),
    created_at INTEGER NOT NULL,
    sent_at    INTEGER,
    detail     TEXT
) STRICT;
CREATE INDEX outbox_by_session ON outbox (session);
CREATE INDEX outbox_by_attempt ON outbox (attempt);
CREATE UNIQUE INDEX outbox_answered_once ON outbox (attempt, request_id) WHERE request_id IS NOT NULL;

-- Agents that must not be started now; "until" is null when a person must lift the pause.
CREATE TABLE agent_pauses (
    agent   TEXT PRIMARY KEY,
    "until" INTEGER,
    reason  TEXT NOT NULL,
    since   INTEGER NOT NULL
) STRICT;

-- Access to the API. Only the hash of a token is kept.
CREATE TABLE tokens (
    sha256     TEXT PRIMARY KEY,
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'approver', 'agent')),
    session    TEXT REFERENCES sessions (id),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_session ON tokens (session) WHERE session IS NOT NULL;
