-- name: append
-- Adds a version; its number is the next one.
INSERT INTO policy_versions (number, created_at, author, rationale, document)
VALUES ((SELECT coalesce(max(number), 0) + 1 FROM policy_versions), :created_at, :author, :rationale, :document)
RETURNING *;

-- name: get
-- One version.
SELECT * FROM policy_versions WHERE number = :number;

-- name: latest
-- The version in force.
SELECT * FROM policy_versions ORDER BY number DESC LIMIT 1;

-- name: all
-- Every version, newest first.
SELECT * FROM policy_versions ORDER BY number DESC;
