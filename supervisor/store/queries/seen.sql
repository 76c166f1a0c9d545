-- name: get
-- Until when somebody knows what happened.
SELECT at FROM digests_seen WHERE actor = :actor;

-- name: put
-- Notes until when somebody knows what happened.
INSERT INTO digests_seen (actor, at) VALUES (:actor, :at)
ON CONFLICT (actor) DO UPDATE SET at = max(at, excluded.at);
