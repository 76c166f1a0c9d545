-- name: insert
-- Adds a checkpoint.
INSERT INTO checkpoints (
    id, name, project, worktree, ref, git_commit, reason, files, size, created_at, created_by, plan, task, session, head,
    branch, environment, decisions, outputs, restored_at, expired_at
) VALUES (
    :id, :name, :project, :worktree, :ref, :git_commit, :reason, :files, :size, :created_at, :created_by, :plan, :task,
    :session, :head, :branch, :environment, :decisions, :outputs, :restored_at, :expired_at
);

-- name: update
-- Stores what may change of a checkpoint: what is in it as long as it is made, and what became of it.
UPDATE checkpoints SET
    git_commit = :git_commit, files = :files, size = :size, restored_at = :restored_at, expired_at = :expired_at
WHERE id = :id;

-- name: get
-- One checkpoint.
SELECT * FROM checkpoints WHERE id = :id;

-- name: matching
-- Checkpoints that a text may mean: an id, its beginning, or a name.
SELECT * FROM checkpoints WHERE id >= :text AND id < :text || char(1114111) OR name = :text ORDER BY id;

-- name: find
-- Checkpoints that are kept, newest first: of one plan, session or project, or all; with :expired also the others.
SELECT * FROM checkpoints
WHERE (:plan IS NULL OR plan = :plan)
    AND (:session IS NULL OR session = :session)
    AND (:project IS NULL OR project = :project)
    AND (:expired OR expired_at IS NULL)
ORDER BY id DESC
LIMIT :limit;

-- name: newest_of_worktree
-- The newest kept checkpoint of a worktree.
SELECT * FROM checkpoints WHERE worktree = :worktree AND expired_at IS NULL ORDER BY id DESC LIMIT 1;

-- name: has
-- Whether a ref has a record.
SELECT EXISTS (SELECT 1 FROM checkpoints WHERE ref = :ref);
