-- name: insert
-- Adds an upload.
INSERT INTO uploads (id, draft, created_at, artifact) VALUES (:id, :draft, :created_at, :artifact);

-- name: get
-- One upload.
SELECT * FROM uploads WHERE id = :id;

-- name: like
-- The upload of the same that has not come to its end.
SELECT * FROM uploads WHERE draft = :draft AND artifact IS NULL ORDER BY id DESC LIMIT 1;

-- name: open
-- How many of somebody have not come to their end.
SELECT count(*) AS number FROM uploads
WHERE artifact IS NULL AND json_extract(draft, '$.created_by') = :created_by;

-- name: finish
-- Notes what an upload has become.
UPDATE uploads SET artifact = :artifact WHERE id = :id;

-- name: delete
-- Forgets an upload.
DELETE FROM uploads WHERE id = :id;

-- name: stale
-- Uploads that were begun before a time.
SELECT * FROM uploads WHERE created_at < :before ORDER BY id;

-- name: unfinished
-- The ids of those that have not come to their end.
SELECT id FROM uploads WHERE artifact IS NULL;
