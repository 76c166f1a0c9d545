-- name: claim
-- Adds the next attempt of a session, with the next fencing token. Without a session each is its own first.
INSERT INTO attempts (id, session, number, fencing_token, executor, status, boot_id, claimed_at, work)
SELECT
    :id, :session, coalesce(max(number), 0) + 1, coalesce(max(fencing_token), 0) + 1,
    :executor, :status, :boot_id, :claimed_at, :work
FROM attempts WHERE session = :session;

-- name: claim_step
-- Adds the next attempt of a task, for one of its steps.
INSERT INTO attempts (id, number, fencing_token, executor, status, boot_id, handle, claimed_at, work, plan, task, step)
SELECT
    :id, coalesce(max(number), 0) + 1, coalesce(max(fencing_token), 0) + 1,
    'local', 'starting', :boot_id, :handle, :claimed_at, :work, :plan, :task, :step
FROM attempts WHERE plan = :plan AND task = :task
RETURNING number, fencing_token;

-- name: live_of_plan
-- The attempts of a plan's tasks that have not ended, oldest first.
SELECT * FROM attempts
WHERE plan = :plan AND status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled')
ORDER BY id;

-- name: of_task
-- The attempts of a plan's task, in order.
SELECT * FROM attempts WHERE plan = :plan AND task = :task ORDER BY number;

-- name: update
-- Stores an attempt as it is now; who it is, and its token, never change.
UPDATE attempts SET
    status = :status, handle = :handle, pid = :pid, pid_started_at = :pid_started_at, exit_code = :exit_code,
    reason = :reason, last_error = :last_error, intent = :intent, input_closed_at = :input_closed_at,
    started_at = :started_at, ended_at = :ended_at,
    last_output_at = :last_output_at, last_heartbeat_at = :last_heartbeat_at
WHERE id = :id;

-- name: end
-- Stores how an attempt ended that had not.
UPDATE attempts SET
    status = :status, exit_code = :exit_code, reason = :reason, started_at = :started_at, ended_at = :ended_at
WHERE id = :id AND status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled');

-- name: heard
-- Notes when an attempt last put something out.
UPDATE attempts SET last_output_at = :at WHERE id = :id;

-- name: beat
-- Notes when an attempt's runner last gave a sign of life.
UPDATE attempts SET last_heartbeat_at = :at WHERE id = :id;

-- name: get
-- One attempt.
SELECT * FROM attempts WHERE id = :id;

-- name: status
-- The status of one attempt.
SELECT status FROM attempts WHERE id = :id;

-- name: of_session
-- The attempts of a session, in order.
SELECT * FROM attempts WHERE session = :session ORDER BY number;

-- name: latest
-- The newest attempt of a session.
SELECT * FROM attempts WHERE session = :session ORDER BY number DESC LIMIT 1;

-- name: live
-- Every attempt that has not ended, oldest first. The condition is that of the index attempts_live.
SELECT * FROM attempts
WHERE status IN ('queued', 'starting', 'running', 'waiting_approval', 'stalled')
ORDER BY id;
