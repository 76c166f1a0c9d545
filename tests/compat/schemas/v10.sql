BEGIN TRANSACTION;
CREATE TABLE agent_pauses (
    agent   TEXT PRIMARY KEY,
    "until" INTEGER,
    reason  TEXT NOT NULL,
    since   INTEGER NOT NULL
) STRICT;
INSERT INTO "agent_pauses" VALUES('claude',1795262400000,'limit',1795262400000);
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
INSERT INTO "approvals" VALUES('app_1','tool_call','Bash make','May it do this?','stream','{"input":{"command":"make"},"tool":"Bash"}','9762cd268395197c627780a9a47f41171a017871aa76db788ac422765ddb06be','session ses_1',1795262400000,'pending','It waits for a decision.','[]',NULL,'medium','{}','{}',NULL,NULL,NULL,'ses_1',NULL,'app_1',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "artifacts" VALUES('art_1','prj_1','plan-search','a',NULL,NULL,'artifact','report.html',1,'text/html','file','0000000000000000000000000000000000000000000000000000000000000000',7,'',NULL,'{}','plan',1795262400000,'person',NULL,NULL);
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
    last_heartbeat_at INTEGER, plan TEXT, task TEXT, step INTEGER,
    UNIQUE (session, number),
    UNIQUE (session, fencing_token)
) STRICT;
INSERT INTO "attempts" VALUES('att_1','ses_1',1,1,'local','starting','boot',1795262400000,'{"argv":["true"],"prompt":null,"answer":null,"answer_key":null}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "audit" VALUES(1,1795262400000,'person','run','ses_1',NULL,'{"name":"1"}','0000000000000000000000000000000000000000000000000000000000000000','14e680269b96bb3b1c5af54ef22db129f5faed2e617abd2da30f03d5bbf83a74');
CREATE TABLE budget_levels (
    scope   TEXT NOT NULL,
    period  TEXT NOT NULL,
    measure TEXT NOT NULL CHECK (measure IN ('cost_usd', 'tokens', 'api_calls', 'time')),
    level   TEXT NOT NULL CHECK (level IN ('closed', 'warning', 'tripped')),
    since   INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    "limit" INTEGER NOT NULL,
    granted INTEGER NOT NULL,
    PRIMARY KEY (scope, period, measure)
) STRICT, WITHOUT ROWID;
INSERT INTO "budget_levels" VALUES('day','2026-11-21','cost_usd','warning',1795262400000,9,10,1);
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
INSERT INTO "checkpoints" VALUES('cpt_1','cp-cpt_1','prj_1','/repo/app/worktree','refs/quarterdeck/checkpoints/ses_1/cp-cpt_1','cccccccccccccccccccccccccccccccccccccccc','asked for',3,12,1795262400000,'person',NULL,NULL,'ses_1',NULL,NULL,NULL,'["app_1"]','{"a":{"exit_code":0}}',NULL,NULL);
CREATE TABLE digests_seen (
    actor TEXT PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "digests_seen" VALUES('person',1795262400000);
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
INSERT INTO "events" VALUES(1,1795262400000,NULL,NULL,NULL,'ses_1',NULL,'tool','output','info','supervisor','{"number":0}',0,0);
INSERT INTO "events" VALUES(2,1795262400001,NULL,NULL,NULL,'ses_1',NULL,'tool','output','info','supervisor','{"number":1}',0,1);
CREATE TABLE migrations (
    number     INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    program    TEXT NOT NULL
) STRICT;
INSERT INTO "migrations" VALUES(1,'initial',1796026969713,'0.1.0');
INSERT INTO "migrations" VALUES(2,'decisions',1796026969725,'0.1.0');
INSERT INTO "migrations" VALUES(3,'plans',1796026969731,'0.1.0');
INSERT INTO "migrations" VALUES(4,'plan_runs',1796026969737,'0.1.0');
INSERT INTO "migrations" VALUES(5,'artifacts',1796026969746,'0.1.0');
INSERT INTO "migrations" VALUES(6,'schedules',1796026969751,'0.1.0');
INSERT INTO "migrations" VALUES(7,'usage',1796026969756,'0.1.0');
INSERT INTO "migrations" VALUES(8,'checkpoints',1796026969758,'0.1.0');
INSERT INTO "migrations" VALUES(9,'revised_while_running',1796026969768,'0.1.0');
INSERT INTO "migrations" VALUES(10,'pending',1796026969775,'0.1.0');
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
INSERT INTO "outbox" VALUES('rep_1','ses_1','att_1','reply','req_1',X'6E6F','pending',1796026969822,NULL,NULL);
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
CREATE TABLE policy_versions (
    number     INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    author     TEXT NOT NULL,
    rationale  TEXT NOT NULL,
    document   TEXT NOT NULL
) STRICT;
INSERT INTO "policy_versions" VALUES(1,1795262400000,'person','first','version: 1');
CREATE TABLE projects (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    root           TEXT NOT NULL UNIQUE,
    default_branch TEXT NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;
INSERT INTO "projects" VALUES('prj_1','app','/repo/app','main',1795262400000);
CREATE TABLE pulse (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
) STRICT;
INSERT INTO "pulse" VALUES(1,0);
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
INSERT INTO "schedule_runs" VALUES('sch_1',1795262400000,'nightly-1','waiting','It waits.',1795262400000,'app_1');
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
INSERT INTO "schedules" VALUES('sch_1','nightly','prj_1','30 2 * * *','Europe/Berlin','skip','each','person',1795262400000,1795262400000,NULL,NULL);
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
INSERT INTO "sessions" VALUES('ses_1','1','prj_1','autonomous','command','local','{"argv":["true"],"prompt":null,"answer":null,"answer_key":null}','preparing','{"signal":"person","text":"It was asked for.","at":1795262400000}',1795262400000,'/state/sessions/ses_1',NULL,NULL,0,'{"state":"idle","tool":null,"argument":null,"at":0}','{"messages":0,"tools_used":{},"tokens_input":0,"tokens_output":0,"tokens_cached":0,"cost_usd":0.5,"process_cost_usd":0.0,"turns":0,"errors":{},"permissions_refused":0,"turn_error":null,"process_turns":0,"turn_refusals":0,"conversations":{}}','[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE spools (
    session    TEXT PRIMARY KEY REFERENCES sessions (id),
    inode      INTEGER NOT NULL,
    "offset"   INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    partials   TEXT NOT NULL
) STRICT;
INSERT INTO "spools" VALUES('ses_1',7,90,0,'{"tty":{"data":"eA==","size":1}}');
CREATE TABLE task_sessions (
    session TEXT PRIMARY KEY,
    plan    TEXT NOT NULL,
    task    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "task_sessions" VALUES('ses_1','plan-x','a');
CREATE TABLE "tasks" (
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
    ended_at    INTEGER, goes_by INTEGER, fate TEXT CHECK (fate IN ('stop', 'restart')), forgiven INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plan, revision, id),
    FOREIGN KEY (plan, revision) REFERENCES revisions (plan, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    sha256     TEXT PRIMARY KEY,
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'approver', 'agent')),
    session    TEXT REFERENCES sessions (id),
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "tokens" VALUES('3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0','operator',NULL,1795262400000);
CREATE TABLE uploads (
    id         TEXT PRIMARY KEY,
    draft      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    artifact   TEXT REFERENCES artifacts (id)
) STRICT;
INSERT INTO "uploads" VALUES('upl_1','{"project":"prj_1","name":"report.html","type":"text/html","sha256":"0000000000000000000000000000000000000000000000000000000000000000","size":7,"created_by":"person","retention":"plan","kind":"artifact","form":"file","plan":"plan-search","task":"a","session":null,"attempt":null,"provenance":{},"statement":"","stance":null}',1795262400000,'art_1');
CREATE TABLE usage (
    id            INTEGER PRIMARY KEY,
    time          INTEGER NOT NULL,
    project       TEXT,
    plan          TEXT,
    task          TEXT,
    session       TEXT,
    agent         TEXT NOT NULL,
    cost_nano     INTEGER NOT NULL,
    tokens_input  INTEGER NOT NULL,
    tokens_output INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    api_calls     INTEGER NOT NULL,
    time_ms       INTEGER NOT NULL
) STRICT;
INSERT INTO "usage" VALUES(1,1795262400000,'prj_1','plan-x','a','ses_1','command',500000000,7,0,0,1,0);
CREATE INDEX sessions_by_status ON sessions (status);
CREATE INDEX sessions_by_project ON sessions (project);
CREATE INDEX sessions_by_name ON sessions (name);
CREATE INDEX attempts_live ON attempts (id)
    WHERE status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');
CREATE UNIQUE INDEX attempts_one_live ON attempts (session)
    WHERE status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');
CREATE INDEX events_by_session ON events (session) WHERE session IS NOT NULL;
CREATE INDEX events_by_plan ON events (plan) WHERE plan IS NOT NULL;
CREATE INDEX events_by_type ON events (type);
CREATE INDEX events_by_time ON events (time);
CREATE UNIQUE INDEX events_once ON events (session, log_offset, log_index) WHERE log_offset IS NOT NULL;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE INDEX outbox_by_session ON outbox (session);
CREATE INDEX outbox_by_attempt ON outbox (attempt);
CREATE UNIQUE INDEX outbox_answered_once ON outbox (attempt, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX tokens_by_session ON tokens (session) WHERE session IS NOT NULL;
CREATE INDEX approvals_open ON approvals (id) WHERE status IN ('pending', 'approved');
CREATE INDEX approvals_due ON approvals (expires_at) WHERE status = 'pending' AND expires_at IS NOT NULL;
CREATE INDEX approvals_by_session ON approvals (session) WHERE session IS NOT NULL;
CREATE INDEX approvals_by_attempt ON approvals (attempt) WHERE attempt IS NOT NULL;
CREATE UNIQUE INDEX approvals_asked_once ON approvals (coalesce(session, ''), request_key)
    WHERE request_key IS NOT NULL AND status != 'superseded';
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
CREATE TRIGGER policy_versions_are_never_changed BEFORE UPDATE ON policy_versions
BEGIN
    SELECT RAISE(ABORT, 'policy versions are append-only');
END;
CREATE TRIGGER policy_versions_are_never_deleted BEFORE DELETE ON policy_versions
BEGIN
    SELECT RAISE(ABORT, 'policy versions are append-only');
END;
CREATE INDEX plans_by_status ON plans (status);
CREATE INDEX plans_by_project ON plans (project);
CREATE TRIGGER revisions_are_never_changed BEFORE UPDATE ON revisions
BEGIN
    SELECT RAISE(ABORT, 'a revision is never changed');
END;
CREATE INDEX tasks_live ON tasks (plan, revision) WHERE status IN ('ready', 'running', 'waiting_approval', 'blocked');
CREATE INDEX tasks_by_session ON tasks (session) WHERE session IS NOT NULL;
CREATE INDEX attempts_by_task ON attempts (plan, task) WHERE plan IS NOT NULL;
CREATE UNIQUE INDEX attempts_one_live_of_task ON attempts (plan, task)
    WHERE plan IS NOT NULL AND status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');
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
CREATE TRIGGER artifacts_are_never_deleted BEFORE DELETE ON artifacts
BEGIN
    SELECT RAISE(ABORT, 'the record of an artifact stays');
END;
CREATE TRIGGER artifacts_go_with_their_plan AFTER DELETE ON plans
BEGIN
    UPDATE artifacts SET removed_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE plan = OLD.id AND retention IN ('task', 'plan') AND removed_at IS NULL;
END;
CREATE INDEX schedules_kept ON schedules (created_at) WHERE removed_at IS NULL;
CREATE INDEX schedule_runs_open ON schedule_runs (due) WHERE state IN ('due', 'waiting', 'starting');
CREATE INDEX task_sessions_by_task ON task_sessions (plan, task);
CREATE INDEX usage_by_time ON usage (time);
CREATE INDEX usage_by_project ON usage (project, time);
CREATE INDEX usage_by_session ON usage (session) WHERE session IS NOT NULL;
CREATE INDEX usage_by_task ON usage (plan, task) WHERE plan IS NOT NULL;
CREATE VIEW at_work AS
SELECT
    json_extract(sessions.reason, '$.at') AS time, sessions.project, link.plan,
    coalesce(link.task, sessions.task) AS task, sessions.id AS session, sessions.agent
FROM sessions LEFT JOIN task_sessions AS link ON link.session = sessions.id
WHERE sessions.status = 'running'
UNION ALL
SELECT
    coalesce(attempts.started_at, attempts.claimed_at), plans.project, attempts.plan, attempts.task, NULL, 'command'
FROM attempts LEFT JOIN plans ON plans.id = attempts.plan
WHERE attempts.plan IS NOT NULL
    AND attempts.status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');
CREATE INDEX budget_levels_raised ON budget_levels (scope) WHERE level != 'closed';
CREATE INDEX checkpoints_by_plan ON checkpoints (plan, id) WHERE plan IS NOT NULL AND expired_at IS NULL;
CREATE INDEX checkpoints_by_session ON checkpoints (session, id) WHERE session IS NOT NULL AND expired_at IS NULL;
CREATE INDEX checkpoints_by_name ON checkpoints (name);
CREATE INDEX outbox_pending ON outbox (session) WHERE state = 'pending';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',2);
INSERT INTO "sqlite_sequence" VALUES('audit',1);
COMMIT;
