-- Artifacts and evidence. What is in them stands in files that are named by its hash.

-- A plan's artifacts outlive it when their retention says so, so there is no foreign key to it.
CREATE TABLE artifacts (
    id         TEXT PRIMARY KEY,
    project    TEXT NOT NULL REFERENCES projects (id),
    plan       TEXT,
    task       TEXT,
    session    TEXT REFERENCES sessions (id),
    attempt    TEXT,
    kind       TEXT NOT NULL CHECK (kind IN ('artifact', 'evidence')),
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL CHECK (version > 0),
    type       TEXT NOT NULL,
    form       TEXT NOT NULL CHECK (form IN ('file', 'folder')),
    sha256     TEXT NOT NULL CHECK (length(sha256) = 64),
    size       INTEGER NOT NULL CHECK (size >= 0),
    statement  TEXT NOT NULL,
    stance     TEXT CHECK (stance IN ('supports', 'refutes', 'neutral')),
    provenance TEXT NOT NULL,
    retention  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    removed_at INTEGER
) STRICT;
-- An address is a project's, plan's and task's name; without a plan it is the session's.
CREATE UNIQUE INDEX artifacts_by_address ON artifacts (
    project, ifnull(plan, ''), ifnull(task, ''), iif(plan IS NULL, ifnull(session, ''), ''), kind, name, version
);
CREATE INDEX artifacts_by_plan ON artifacts (plan, task) WHERE plan IS NOT NULL;
CREATE INDEX artifacts_by_session ON artifacts (session) WHERE session IS NOT NULL;
CREATE INDEX artifacts_by_content ON artifacts (sha256) WHERE removed_at IS NULL;
CREATE INDEX artifacts_to_expire ON artifacts (expires_at) WHERE expires_at IS NOT NULL AND removed_at IS NULL;
CREATE TRIGGER artifacts_are_never_changed BEFORE UPDATE OF
    id, project, plan, task, session, attempt, kind, name, version, type, form, sha256, size, statement, stance,
    provenance, retention, created_at, created_by, expires_at
ON artifacts
BEGIN
    SELECT RAISE(ABORT, 'an artifact is never changed');
END;
-- Their content goes, the record stays: a version's number never means something else.
CREATE TRIGGER artifacts_are_never_deleted BEFORE DELETE ON artifacts
BEGIN
    SELECT RAISE(ABORT, 'the record of an artifact stays');
END;
CREATE TRIGGER artifacts_go_with_their_plan AFTER DELETE ON plans
BEGIN
    UPDATE artifacts SET removed_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE plan = OLD.id AND retention IN ('task', 'plan') AND removed_at IS NULL;
END;

-- Contents that come in pieces; the pieces so far stand in a file named by the id.
CREATE TABLE uploads (
    id         TEXT PRIMARY KEY,
    draft      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    artifact   TEXT REFERENCES artifacts (id)
) STRICT;
