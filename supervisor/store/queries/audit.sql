-- name: append
-- Adds an entry.
INSERT INTO audit (seq, time, actor, action, subject, before, after, prev_hash, hash)
VALUES (:seq, :time, :actor, :action, :subject, :before, :after, :prev_hash, :hash);

-- name: newest
-- The number and hash of the newest entry.
SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1;

-- name: hash
-- The hash of one entry.
SELECT hash FROM audit WHERE seq = :seq;

-- name: since
-- Entries after a number, in order.
SELECT * FROM audit WHERE seq > :seq ORDER BY seq LIMIT :limit;

-- name: before
-- Entries before a number, newest first.
SELECT * FROM audit WHERE seq < :seq ORDER BY seq DESC LIMIT :limit;

-- name: count
-- How many entries there are.
SELECT count(*) FROM audit;
