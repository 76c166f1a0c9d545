-- name: places_taken
-- Autonomous sessions that hold a place: being prepared, running, or frozen with a live attempt. What a budget froze
-- holds none, so that what costs nothing can go on.
SELECT count(*) FROM sessions
WHERE mode = 'autonomous' AND (
    status IN ('preparing', 'running')
    OR status = 'paused' AND json_extract(reason, '$.signal') != 'budget' AND EXISTS (
        SELECT 1 FROM attempts WHERE attempts.session = sessions.id
        AND attempts.status IN ('queued', 'starting', 'running', 'stalled')
    )
);

-- name: waiting
-- Autonomous sessions that wait for a place, the next one first.
SELECT * FROM sessions WHERE status = 'queued' ORDER BY priority DESC, id;

-- name: count_waiting
-- How many wait.
SELECT count(*) FROM sessions WHERE status = 'queued';

-- name: due
-- Sessions that a usage limit paused and whose time has come.
SELECT * FROM sessions
WHERE status = 'paused' AND json_extract(reason, '$.signal') = 'limit' AND resume_at <= :now ORDER BY id;

-- name: next_due
-- When the next of them is due.
SELECT min(resume_at) FROM sessions WHERE status = 'paused' AND json_extract(reason, '$.signal') = 'limit';

-- name: unfinished_named
-- Whether a session of this name has not ended.
SELECT EXISTS (
    SELECT 1 FROM sessions
    WHERE name = :name AND status NOT IN ('completed', 'failed', 'cancelled', 'archived')
);
