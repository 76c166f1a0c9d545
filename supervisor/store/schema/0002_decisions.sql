-- Questions that a person or a policy answers, and the versions of the policy that people made.

CREATE TABLE approvals (
    id           TEXT PRIMARY KEY,
    subject_type TEXT NOT NULL,
    subject      TEXT NOT NULL,
    question     TEXT NOT NULL,
    channel      TEXT NOT NULL CHECK (channel IN ('stream', 'wait', 'rerun', 'engine')),
    asked        TEXT NOT NULL,
    digest       TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    status       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    options      TEXT NOT NULL,
    "default"    TEXT,
    risk         TEXT NOT NULL CHECK (risk IN ('low', 'medium', 'high')),
    preview      TEXT NOT NULL,
    judgement    TEXT NOT NULL,
    project      TEXT REFERENCES projects (id),
    plan         TEXT,
    task         TEXT,
    session      TEXT REFERENCES sessions (id),
    attempt      TEXT REFERENCES attempts (id),
    request_key  TEXT,
    expires_at   INTEGER,
    decision     TEXT,
    decided_by   TEXT,
    decided_at   INTEGER,
    rationale    TEXT,
    consumed_at  INTEGER,
    consumed_by  TEXT
) STRICT;
CREATE INDEX approvals_open ON approvals (id) WHERE status IN ('pending', 'approved');
CREATE INDEX approvals_due ON approvals (expires_at) WHERE status = 'pending' AND expires_at IS NOT NULL;
CREATE INDEX approvals_by_session ON approvals (session) WHERE session IS NOT NULL;
CREATE INDEX approvals_by_attempt ON approvals (attempt) WHERE attempt IS NOT NULL;
-- A request that is asked again is the same approval.
CREATE UNIQUE INDEX approvals_asked_once ON approvals (coalesce(session, ''), request_key)
    WHERE request_key IS NOT NULL AND status != 'superseded';

-- What was shown is never changed, a decision is made once, and it is used once.
CREATE TRIGGER approvals_are_bound BEFORE UPDATE ON approvals
WHEN NEW.digest IS NOT OLD.digest OR NEW.asked IS NOT OLD.asked OR NEW.question IS NOT OLD.question
    OR NEW.options IS NOT OLD.options OR NEW.preview IS NOT OLD.preview OR NEW.channel IS NOT OLD.channel
    OR NEW.session IS NOT OLD.session OR NEW.attempt IS NOT OLD.attempt
    OR OLD.decided_at IS NOT NULL AND (NEW.decision IS NOT OLD.decision OR NEW.decided_by IS NOT OLD.decided_by
        OR NEW.decided_at IS NOT OLD.decided_at)
    OR OLD.consumed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an approval is bound to what was shown, decided once and used once');
END;
CREATE TRIGGER approvals_are_never_deleted BEFORE DELETE ON approvals
BEGIN
    SELECT RAISE(ABORT, 'approvals are kept');
END;

-- The rules that people applied, whole, one row for each change: going back is a new version too.
CREATE TABLE policy_versions (
    number     INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    author     TEXT NOT NULL,
    rationale  TEXT NOT NULL,
    document   TEXT NOT NULL
) STRICT;
CREATE TRIGGER policy_versions_are_never_changed BEFORE UPDATE ON policy_versions
BEGIN
    SELECT RAISE(ABORT, 'policy versions are append-only');
END;
CREATE TRIGGER policy_versions_are_never_deleted BEFORE DELETE ON policy_versions
BEGIN
    SELECT RAISE(ABORT, 'policy versions are append-only');
END;
