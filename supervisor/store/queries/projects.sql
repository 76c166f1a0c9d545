-- name: insert
-- Adds a project.
INSERT INTO projects (id, name, root, default_branch, created_at)
VALUES (:id, :name, :root, :default_branch, :created_at);

-- name: update
-- Stores what may change of a project.
UPDATE projects SET name = :name, root = :root, default_branch = :default_branch WHERE id = :id;

-- name: get
-- One project.
SELECT * FROM projects WHERE id = :id;

-- name: by_root
-- The project whose main worktree is at a path.
SELECT * FROM projects WHERE root = :root;

-- name: matching
-- Projects that a text may mean: an id, its beginning, or a name.
SELECT * FROM projects WHERE name = :text OR (id >= :text AND id < :text || char(1114111)) ORDER BY id;

-- name: all
-- Every project, oldest first.
SELECT * FROM projects ORDER BY id;

-- name: names
-- What every project is called.
SELECT id, name FROM projects;

-- name: remove
-- Forgets a project that no session belongs to.
DELETE FROM projects WHERE id = :id;
