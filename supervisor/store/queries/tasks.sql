-- name: insert
-- Adds a task of a revision.
INSERT INTO tasks (
    plan, revision, id, position, kind, title, needs, digest, status, reason, attempts, session, input_hash, result,
    step, released_by, not_before, started_at, ended_at, goes_by, fate, forgiven
) VALUES (
    :plan, :revision, :id, :position, :kind, :title, :needs, :digest, :status, :reason, :attempts, :session,
    :input_hash, :result, :step, :released_by, :not_before, :started_at, :ended_at,
    :goes_by, :fate, :forgiven
);

-- name: update
-- Stores what has changed of a task, only if it still has the status that was read. The changes are added by the caller.
UPDATE tasks SET {changes}
WHERE plan = :plan AND revision = :revision AND id = :id AND status = :before;

-- name: get
-- One task of a revision.
SELECT * FROM tasks WHERE plan = :plan AND revision = :revision AND id = :id;

-- name: of_revision
-- The tasks of a revision, in the order of its document.
SELECT * FROM tasks WHERE plan = :plan AND revision = :revision ORDER BY position;

-- name: count
-- How many tasks of a revision have each status that occurs.
SELECT status, count(*) AS number FROM tasks WHERE plan = :plan AND revision = :revision GROUP BY status;

-- name: counts
-- How many tasks of the revision in force have each status, for every plan.
SELECT tasks.plan, tasks.status, count(*) AS number FROM tasks
JOIN plans ON plans.id = tasks.plan AND plans.revision = tasks.revision
GROUP BY tasks.plan, tasks.status;

-- name: given_up
-- The tasks that were given up and whose sessions have not ended.
SELECT tasks.* FROM tasks JOIN sessions ON sessions.id = tasks.session
WHERE tasks.status = 'abandoned'
    AND sessions.status IN ('queued', 'preparing', 'running', 'waiting', 'paused');

-- name: last_elsewhere
-- How a task stands where it ran last in a project: in another plan, or in an earlier revision of this one. What has
-- not ended counts as the last. One row of each revision is looked at, in this order, by its key.
SELECT tasks.* FROM plans
CROSS JOIN revisions ON revisions.plan = plans.id
CROSS JOIN tasks ON tasks.plan = plans.id AND tasks.revision = revisions.number AND tasks.id = :id
WHERE plans.project = :project AND tasks.started_at IS NOT NULL
    AND NOT (tasks.plan = :plan AND (tasks.revision = :revision OR :elsewhere))
ORDER BY tasks.ended_at IS NOT NULL, tasks.ended_at DESC, tasks.revision DESC LIMIT 1;
