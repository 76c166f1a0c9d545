-- name: insert
-- Adds a plan.
INSERT INTO plans (
    id, project, title, owner, priority, advance, status, reason, revision, created_at, branch, base_commit, worktree,
    started_at, ended_at, archived_at
) VALUES (
    :id, :project, :title, :owner, :priority, :advance, :status, :reason, :revision, :created_at, :branch,
    :base_commit, :worktree, :started_at, :ended_at, :archived_at
);

-- name: update
-- Stores what may change of a plan.
UPDATE plans SET
    title = :title, owner = :owner, priority = :priority, advance = :advance, status = :status, reason = :reason,
    revision = :revision, branch = :branch, base_commit = :base_commit, worktree = :worktree,
    started_at = :started_at, ended_at = :ended_at, archived_at = :archived_at
WHERE id = :id;

-- name: status
-- The stored status of a plan.
SELECT status FROM plans WHERE id = :id;

-- name: get
-- One plan.
SELECT * FROM plans WHERE id = :id;

-- name: revision_of
-- The number of the revision of a plan that is in force.
SELECT revision FROM plans WHERE id = :id;

-- name: matching
-- Plans that a text may mean: an id, its beginning, or a title.
SELECT * FROM plans WHERE id >= :text AND id < :text || char(1114111) OR title = :text ORDER BY created_at, id;

-- name: find
-- Plans, oldest first: of one project or all, with one of some statuses or any.
SELECT * FROM plans
WHERE (:project IS NULL OR project = :project)
    AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
    AND (:archived OR archived_at IS NULL)
ORDER BY created_at, id;

-- name: delete
-- Takes a plan away, with its revisions and tasks.
DELETE FROM plans WHERE id = :id;

-- name: insert_revision
-- Adds a revision.
INSERT INTO revisions (plan, number, parent, document, diff, rationale, author, created_at)
VALUES (:plan, :number, :parent, :document, :diff, :rationale, :author, :created_at);

-- name: revision
-- One revision.
SELECT * FROM revisions WHERE plan = :plan AND number = :number;

-- name: revisions
-- Every revision of a plan, oldest first.
SELECT * FROM revisions WHERE plan = :plan ORDER BY number;
