-- name: insert
-- Adds an artifact.
INSERT INTO artifacts (
    id, project, plan, task, session, attempt, kind, name, version, type, form, sha256, size, statement, stance,
    provenance, retention, created_at, created_by, expires_at, removed_at
) VALUES (
    :id, :project, :plan, :task, :session, :attempt, :kind, :name, :version, :type, :form, :sha256, :size,
    :statement, :stance, :provenance, :retention, :created_at, :created_by, :expires_at, :removed_at
);

-- name: last_version
-- The newest version that an address ever had; 0 for none.
SELECT ifnull(max(version), 0) AS version FROM artifacts
WHERE project = :project AND ifnull(plan, '') = ifnull(:plan, '') AND ifnull(task, '') = ifnull(:task, '')
    AND iif(plan IS NULL, ifnull(session, ''), '') = iif(:plan IS NULL, ifnull(:session, ''), '')
    AND kind = :kind AND name = :name;

-- name: of_attempt
-- What an attempt has kept under a name with this content: put again after a crash, it is the same.
SELECT * FROM artifacts
WHERE project = :project AND ifnull(plan, '') = ifnull(:plan, '') AND ifnull(task, '') = ifnull(:task, '')
    AND attempt = :attempt AND kind = :kind AND name = :name AND sha256 = :sha256 AND removed_at IS NULL
ORDER BY version DESC LIMIT 1;

-- name: get
-- One artifact.
SELECT * FROM artifacts WHERE id = :id;

-- name: matching
-- Artifacts that a text may mean: an id or its beginning.
SELECT * FROM artifacts WHERE id >= :text AND id < :text || char(1114111) ORDER BY id;

-- name: with_content
-- The newest artifact with a content.
SELECT * FROM artifacts WHERE sha256 = :sha256 AND removed_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 1;

-- name: find
-- Artifacts that are kept, newest first.
SELECT * FROM artifacts
WHERE removed_at IS NULL
    AND (:project IS NULL OR project = :project)
    AND (:plan IS NULL OR plan = :plan)
    AND (:task IS NULL OR task = :task)
    AND (:session IS NULL OR session = :session)
    AND (:kind IS NULL OR kind = :kind)
    AND (:name IS NULL OR name = :name)
    AND (:version IS NULL OR version = :version)
ORDER BY created_at DESC, id DESC LIMIT :limit;

-- name: newest
-- The newest artifact that a task has kept under a name. What an earlier plan of this id has left is another one's.
SELECT artifacts.* FROM artifacts JOIN plans ON plans.id = artifacts.plan
WHERE artifacts.plan = :plan AND artifacts.task = :task AND artifacts.name = :name AND artifacts.kind = 'artifact'
    AND artifacts.removed_at IS NULL AND artifacts.created_at >= plans.created_at
ORDER BY artifacts.version DESC LIMIT 1;

-- name: overdue
-- Artifacts whose time of retention has ended, and those that were put while their plan was taken away.
SELECT * FROM artifacts
WHERE removed_at IS NULL
    AND (expires_at <= :now OR (retention IN ('task', 'plan') AND plan NOT IN (SELECT id FROM plans)))
ORDER BY expires_at, id LIMIT :limit;

-- name: remove
-- Notes that an artifact is kept no longer.
UPDATE artifacts SET removed_at = :now WHERE id = :id AND removed_at IS NULL;

-- name: contents
-- The hashes of everything that is kept.
SELECT DISTINCT sha256 FROM artifacts WHERE removed_at IS NULL;

-- name: is_kept
-- Whether a content belongs to something that is kept.
SELECT EXISTS (SELECT 1 FROM artifacts WHERE sha256 = :sha256 AND removed_at IS NULL) AS kept;

-- name: is_of_session
-- Whether a session has kept a content itself.
SELECT EXISTS (
    SELECT 1 FROM artifacts WHERE sha256 = :sha256 AND session = :session AND removed_at IS NULL
) AS kept;

-- name: work_of
-- The plan and task that a session works on.
SELECT plan, id AS task FROM tasks WHERE session = :session ORDER BY revision DESC LIMIT 1;
