-- name: write
-- A real write, for the health check.
UPDATE pulse SET at = :at WHERE id = 1;

-- name: read
-- What the health check wrote last.
SELECT at FROM pulse WHERE id = 1;
