-- name: insert
-- Adds a schedule.
INSERT INTO schedules (
    id, plan, project, cron, timezone, missed, approval, created_by, created_at, since, paused_at, removed_at
) VALUES (
    :id, :plan, :project, :cron, :timezone, :missed, :approval, :created_by, :created_at, :since, :paused_at, :removed_at
);

-- name: update
-- Stores what may change of a schedule.
UPDATE schedules SET since = :since, paused_at = :paused_at, removed_at = :removed_at WHERE id = :id;

-- name: get
-- One schedule, also one that was removed.
SELECT * FROM schedules WHERE id = :id;

-- name: matching
-- Schedules that a text may mean: an id, its beginning, or the plan.
SELECT * FROM schedules
WHERE removed_at IS NULL AND (id >= :text AND id < :text || char(1114111) OR plan = :text)
ORDER BY created_at, id;

-- name: find
-- Schedules that were not removed, oldest first; optionally of one project or plan.
SELECT * FROM schedules
WHERE removed_at IS NULL AND (:project IS NULL OR project = :project) AND (:plan IS NULL OR plan = :plan)
ORDER BY created_at, id;

-- name: orphaned
-- Schedules whose plan was deleted or archived.
SELECT * FROM schedules
WHERE removed_at IS NULL AND plan NOT IN (SELECT id FROM plans WHERE archived_at IS NULL)
ORDER BY created_at, id;

-- name: add_run
-- Adds what came of a time; nothing when there is something already.
INSERT INTO schedule_runs (schedule, due, plan, state, reason, at, approval)
VALUES (:schedule, :due, :plan, :state, :reason, :at, :approval)
ON CONFLICT DO NOTHING;

-- name: move_run
-- Stores what became of a run, only if it still stands where it was read.
UPDATE schedule_runs SET state = :state, reason = :reason, at = :at, approval = :approval
WHERE schedule = :schedule AND due = :due AND state = :before;

-- name: open_runs
-- Runs of which something is still to be done, the oldest first.
SELECT * FROM schedule_runs WHERE state IN ('due', 'waiting', 'starting') ORDER BY due, schedule;

-- name: last_runs
-- The newest runs of a schedule, newest first.
SELECT * FROM schedule_runs WHERE schedule = :schedule ORDER BY due DESC LIMIT :limit;

-- name: under_way
-- The newest run before a time whose plan is still under way.
SELECT schedule_runs.* FROM schedule_runs JOIN plans ON plans.id = schedule_runs.plan
WHERE schedule = :schedule AND due < :due AND plans.status IN ('running', 'paused', 'blocked')
ORDER BY due DESC LIMIT 1;
