-- name: insert
-- Says that nothing of a session's log was read yet.
INSERT INTO spools (session, inode, "offset", generation, partials) VALUES (:session, 0, 0, 0, '{}');

-- name: get
-- How far a session's log was read.
SELECT * FROM spools WHERE session = :session;

-- name: advance
-- Moves the position, provided that it is still where the reader began.
UPDATE spools SET inode = :inode, "offset" = :offset, generation = :generation, partials = :partials
WHERE session = :session
    AND inode = :old_inode AND "offset" = :old_offset AND generation = :old_generation;
