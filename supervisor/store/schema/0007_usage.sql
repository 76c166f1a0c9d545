-- What was used, when and for what; which budgets are near their limit or over it; when people looked last.

-- Which task of a plan a session works for, of every attempt and not only the last. No foreign keys: it is history.
CREATE TABLE task_sessions (
    session TEXT PRIMARY KEY,
    plan    TEXT NOT NULL,
    task    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX task_sessions_by_task ON task_sessions (plan, task);
INSERT OR IGNORE INTO task_sessions (session, plan, task)
SELECT session, plan, id FROM tasks WHERE session IS NOT NULL ORDER BY plan, revision DESC;

-- One row for each time that something was used. Money is in billionths of a dollar, so that sums are exact.
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
CREATE INDEX usage_by_time ON usage (time);
CREATE INDEX usage_by_project ON usage (project, time);
CREATE INDEX usage_by_session ON usage (session) WHERE session IS NOT NULL;
CREATE INDEX usage_by_task ON usage (plan, task) WHERE plan IS NOT NULL;
-- What was used before is known per session only: it counts at its end.
INSERT INTO usage (
    time, project, plan, task, session, agent, cost_nano, tokens_input, tokens_output, tokens_cached, api_calls, time_ms
)
SELECT
    coalesce(ended_at, last_output_at, created_at), project, link.plan, coalesce(link.task, sessions.task), id, agent,
    CAST(round(coalesce(json_extract(stats, '$.cost_usd'), 0) * 1e9) AS INTEGER),
    coalesce(json_extract(stats, '$.tokens_input'), 0), coalesce(json_extract(stats, '$.tokens_output'), 0),
    coalesce(json_extract(stats, '$.tokens_cached'), 0), coalesce(json_extract(stats, '$.turns'), 0),
    coalesce((
        SELECT sum(max(0, attempts.ended_at - attempts.started_at)) FROM attempts
        WHERE attempts.session = sessions.id AND attempts.ended_at IS NOT NULL AND attempts.started_at IS NOT NULL
    ), 0)
FROM sessions LEFT JOIN task_sessions AS link ON link.session = sessions.id;
INSERT INTO usage (
    time, project, plan, task, session, agent, cost_nano, tokens_input, tokens_output, tokens_cached, api_calls, time_ms
)
SELECT
    attempts.ended_at, plans.project, attempts.plan, attempts.task, NULL, 'command', 0, 0, 0, 0, 0,
    max(0, attempts.ended_at - coalesce(attempts.started_at, attempts.claimed_at))
FROM attempts LEFT JOIN plans ON plans.id = attempts.plan
WHERE attempts.plan IS NOT NULL AND attempts.ended_at IS NOT NULL;

-- What takes time now, since when: sessions at work, and commands of plans. What waits for a person, or is paused,
-- takes none.
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

-- How far each budget is. A period is a day (2026-11-29) for what begins anew with each, else empty; ``granted`` is
-- what a person gave beyond the limit.
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
CREATE INDEX budget_levels_raised ON budget_levels (scope) WHERE level != 'closed';

-- When each person last had a digest of what happened.
CREATE TABLE digests_seen (
    actor TEXT PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
