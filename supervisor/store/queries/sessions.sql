-- name: insert
-- Adds a session.
INSERT INTO sessions (
    id, name, project, mode, agent, executor, work, status, reason, created_at, folder, task, parent, priority,
    activity, stats, agent_session_ids, worktree, branch, base_ref, base_commit, image, container, tmux_target,
    budget_usd, timeout_s, attempts, exit_code, started_at, ended_at, last_output_at, last_heartbeat_at, resume_at
) VALUES (
    :id, :name, :project, :mode, :agent, :executor, :work, :status, :reason, :created_at, :folder, :task, :parent,
    :priority, :activity, :stats, :agent_session_ids, :worktree, :branch, :base_ref, :base_commit, :image,
    :container, :tmux_target, :budget_usd, :timeout_s, :attempts, :exit_code, :started_at, :ended_at,
    :last_output_at, :last_heartbeat_at, :resume_at
);

-- name: update
-- Stores a session as it is now, if it has the status ``before``; who it is never changes.
UPDATE sessions SET
    name = :name, mode = :mode, agent = :agent, executor = :executor, work = :work, status = :status,
    reason = :reason, task = :task, priority = :priority, activity = :activity, stats = :stats,
    agent_session_ids = :agent_session_ids, worktree = :worktree, branch = :branch, base_ref = :base_ref,
    base_commit = :base_commit, image = :image, container = :container, tmux_target = :tmux_target,
    budget_usd = :budget_usd, timeout_s = :timeout_s, attempts = :attempts, exit_code = :exit_code,
    started_at = :started_at, ended_at = :ended_at, last_output_at = :last_output_at,
    last_heartbeat_at = :last_heartbeat_at, resume_at = :resume_at
WHERE id = :id AND status = :before;

-- name: status
-- The status that a session has.
SELECT status FROM sessions WHERE id = :id;

-- name: get
-- One session.
SELECT * FROM sessions WHERE id = :id;

-- name: matching
-- Sessions that a text may mean: an id, its beginning, or a name.
SELECT * FROM sessions WHERE name = :text OR (id >= :text AND id < :text || char(1114111)) ORDER BY id;

-- name: all
-- Every session, oldest first; optionally of one project.
SELECT * FROM sessions WHERE :project IS NULL OR project = :project ORDER BY id;

-- name: by_status
-- The sessions with one of some statuses (a JSON list), oldest first; optionally of one project.
SELECT * FROM sessions
WHERE status IN (SELECT value FROM json_each(:statuses)) AND (:project IS NULL OR project = :project)
ORDER BY id;

-- name: with_ids
-- The sessions with one of some ids (a JSON list), oldest first; optionally of one project, optionally with one of some
-- statuses (a JSON list).
SELECT * FROM sessions
WHERE id IN (SELECT value FROM json_each(:ids)) AND (:project IS NULL OR project = :project)
    AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
ORDER BY id;

-- name: count_by_status
-- How many sessions have each status.
SELECT status, count(*) AS number FROM sessions GROUP BY status;

-- name: of_plan
-- The sessions in which the last attempts of a plan's tasks ran, oldest first.
SELECT DISTINCT sessions.* FROM sessions JOIN tasks ON tasks.session = sessions.id
WHERE tasks.plan = :plan
ORDER BY sessions.created_at;
