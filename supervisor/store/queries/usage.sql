-- name: link
-- Notes for which task a session works. It is never another one.
INSERT OR IGNORE INTO task_sessions (session, plan, task) VALUES (:session, :plan, :task);

-- name: task_of
-- The plan and task that a session works for.
SELECT plan, task FROM task_sessions WHERE session = :session;

-- name: add_of_session
-- Adds what a session used.
INSERT INTO usage (
    time, project, plan, task, session, agent, cost_nano, tokens_input, tokens_output, tokens_cached, api_calls, time_ms
)
SELECT
    :time, :project, link.plan, coalesce(link.task, :task), :session, :agent, :cost_nano, :tokens_input,
    :tokens_output, :tokens_cached, :api_calls, :time_ms
FROM (SELECT 1) LEFT JOIN task_sessions AS link ON link.session = :session;

-- name: add_of_command
-- Adds the time that a command of a plan took, once it has ended.
INSERT INTO usage (
    time, project, plan, task, session, agent, cost_nano, tokens_input, tokens_output, tokens_cached, api_calls, time_ms
)
SELECT
    attempts.ended_at, plans.project, attempts.plan, attempts.task, NULL, 'command', 0, 0, 0, 0, 0,
    max(0, attempts.ended_at - coalesce(attempts.started_at, attempts.claimed_at))
FROM attempts LEFT JOIN plans ON plans.id = attempts.plan WHERE attempts.id = :attempt;

-- name: of_session
-- What a session has used.
SELECT
    coalesce(sum(cost_nano), 0), coalesce(sum(tokens_input + tokens_output), 0), coalesce(sum(api_calls), 0),
    coalesce(sum(time_ms), 0)
FROM usage WHERE session = :session;

-- name: of_task
-- What a task of a plan has used, all attempts together, and the tasks of its subplan.
SELECT
    coalesce(sum(cost_nano), 0), coalesce(sum(tokens_input + tokens_output), 0), coalesce(sum(api_calls), 0),
    coalesce(sum(time_ms), 0)
FROM usage
WHERE plan = :plan AND (task = :task OR task > :task || '/' AND task < :task || '0') AND time >= :since;

-- name: of_plan
-- What a plan has used.
SELECT
    coalesce(sum(cost_nano), 0), coalesce(sum(tokens_input + tokens_output), 0), coalesce(sum(api_calls), 0),
    coalesce(sum(time_ms), 0)
FROM usage WHERE plan = :plan AND time >= :since;

-- name: of_project
-- What a project has used since a time.
SELECT
    coalesce(sum(cost_nano), 0), coalesce(sum(tokens_input + tokens_output), 0), coalesce(sum(api_calls), 0),
    coalesce(sum(time_ms), 0)
FROM usage WHERE project = :project AND time >= :since;

-- name: of_all
-- What everything has used since a time.
SELECT
    coalesce(sum(cost_nano), 0), coalesce(sum(tokens_input + tokens_output), 0), coalesce(sum(api_calls), 0),
    coalesce(sum(time_ms), 0)
FROM usage WHERE time >= :since;

-- name: running
-- What takes time now.
SELECT project, plan, task, session, agent, time AS since FROM at_work;

-- name: cost
-- What was used by one of {by}, with the attempts that began in the same time; the dearest first. Of what is at work now,
-- the time until now. Of a session not all of the cost is known as long as no turn has ended, or one did without saying
-- what it cost; agents that are :free have nothing to tell.
WITH lately(session) AS (
    SELECT DISTINCT session FROM usage WHERE time >= :since AND session IS NOT NULL
    UNION SELECT session FROM at_work WHERE session IS NOT NULL
),
models(of, model) AS (
    SELECT of, model FROM (
        SELECT session AS of, json_extract(payload, '$.model') AS model, max(seq) FROM events
        WHERE type = 'agent_session' AND session IN lately AND json_extract(payload, '$.model') <> ''
        GROUP BY session
    )
),
turns(of, no_cost) AS (
    SELECT session, max(json_extract(payload, '$.process_cost_usd') IS NULL) FROM events
    WHERE type = 'turn_ended' AND session IN lately GROUP BY session
),
told(of, no_cost, no_tokens, no_calls) AS (
    SELECT
        session, coalesce((SELECT no_cost FROM turns WHERE turns.of = session), 1),
        sum(tokens_input + tokens_output) = 0, sum(api_calls) = 0
    FROM usage WHERE session IN lately GROUP BY session
),
free(agent) AS (SELECT value FROM json_each(:free))
SELECT
    key, sum(cost_nano) AS cost_nano, sum(tokens_input) AS tokens_input, sum(tokens_output) AS tokens_output,
    sum(tokens_cached) AS tokens_cached, sum(api_calls) AS api_calls, sum(time_ms) AS time_ms,
    sum(attempts) AS attempts, max(no_cost) AS cost_unknown, max(no_tokens) AS tokens_unknown,
    max(no_calls) AS calls_unknown
FROM (
    SELECT
        {by} AS key, cost_nano, tokens_input, tokens_output, tokens_cached, api_calls, time_ms, 0 AS attempts,
        tells AND told.no_cost AS no_cost, tells AND told.no_tokens AS no_tokens, tells AND told.no_calls AS no_calls
    FROM (SELECT *, session IS NOT NULL AND agent NOT IN free AS tells FROM usage)
    LEFT JOIN told ON told.of = session
    WHERE time >= :since AND (:project IS NULL OR project = :project)
    UNION ALL
    SELECT {by}, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0
    FROM (
        SELECT
            attempts.claimed_at AS time, coalesce(sessions.project, plans.project) AS project,
            coalesce(attempts.plan, link.plan) AS plan, coalesce(attempts.task, link.task, sessions.task) AS task,
            attempts.session, coalesce(sessions.agent, 'command') AS agent
        FROM attempts
        LEFT JOIN sessions ON sessions.id = attempts.session
        LEFT JOIN task_sessions AS link ON link.session = attempts.session
        LEFT JOIN plans ON plans.id = attempts.plan
    )
    WHERE time >= :since AND (:project IS NULL OR project = :project)
    UNION ALL
    SELECT
        {by}, 0, 0, 0, 0, 0, max(0, :now - time), 0, tells AND coalesce(told.no_cost, 1),
        tells AND coalesce(told.no_tokens, 1), tells AND coalesce(told.no_calls, 1)
    FROM (SELECT *, session IS NOT NULL AND agent NOT IN free AS tells FROM at_work)
    LEFT JOIN told ON told.of = session
    WHERE :project IS NULL OR project = :project
)
GROUP BY key ORDER BY cost_nano DESC, tokens_input + tokens_output DESC, time_ms DESC, key;
