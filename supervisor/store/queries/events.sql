-- name: append
-- Adds one event; the number is given by the caller, next in line.
INSERT INTO events (
    seq, time, project, plan, task, session, attempt, phase, type, severity, source, payload, log_offset, log_index
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: last_seq
-- The highest number that was ever given out.
SELECT seq FROM sqlite_sequence WHERE name = 'events';

-- name: since
-- Events after a number, in order. The filters are added by the caller.
SELECT seq, time, project, plan, task, session, attempt, phase, type, severity, source, payload
FROM events WHERE seq > :seq {filters} ORDER BY seq LIMIT :limit;

-- name: newest_of
-- The newest event of one type of each session, as far as the supervisor tells it itself.
SELECT seq, time, project, plan, task, session, attempt, phase, type, severity, source, payload
FROM events WHERE seq IN (
    SELECT max(seq) FROM events WHERE type = :type AND source = 'supervisor' GROUP BY +session
);

-- name: recent
-- The newest events before a number, newest first. The filters are added by the caller.
SELECT seq, time, project, plan, task, session, attempt, phase, type, severity, source, payload
FROM events WHERE seq < :seq {filters} ORDER BY seq DESC LIMIT :limit;
