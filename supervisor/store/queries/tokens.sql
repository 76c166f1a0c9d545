-- name: insert
-- Adds a token by its hash.
INSERT INTO tokens (sha256, role, session, created_at) VALUES (:sha256, :role, :session, :created_at);

-- name: get
-- One token by its hash.
SELECT * FROM tokens WHERE sha256 = :sha256;

-- name: revoke_session
-- Takes every token of a session back.
DELETE FROM tokens WHERE session = :session;

-- name: revoke
-- Takes one token back.
DELETE FROM tokens WHERE sha256 = :sha256;
