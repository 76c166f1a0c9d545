-- name: append
-- Adds events, a row of values for each; the numbers are given by the caller, next in line.
INSERT INTO events (
    seq, time, project, plan, task, session, attempt, phase, type, severity, source, payload, log_offset, log_index
) VALUES {rows};

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

-- name: first_since
-- The lowest number of the first events at a time or later: numbers follow time, but for logs that were read late.
SELECT min(seq) AS seq FROM (SELECT seq FROM events WHERE time >= :since ORDER BY time LIMIT 1000);

-- name: newest_of_type
-- The newest events of a type from a number and a time on, newest first: all, or only severity warning and worse.
-- The + keeps the index of times out.
SELECT seq, time, project, plan, task, session, attempt, phase, type, severity, source, payload
FROM events WHERE type = :type AND seq >= :first AND +time >= :since AND (:any OR severity NOT IN ('debug', 'info'))
ORDER BY seq DESC LIMIT :limit;
