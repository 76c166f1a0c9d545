-- name: insert
-- Adds something to be written to an attempt.
INSERT INTO outbox (id, session, attempt, kind, request_id, body, state, created_at)
VALUES (:id, :session, :attempt, :kind, :request_id, :body, 'pending', :created_at);

-- name: is_answered
-- Whether there is an answer to a request.
SELECT EXISTS (SELECT 1 FROM outbox WHERE attempt = :attempt AND request_id = :request_id);

-- name: get
-- One entry.
SELECT * FROM outbox WHERE id = :id;

-- name: pending
-- What a session's attempt has not been sent yet, in order.
SELECT * FROM outbox WHERE session = :session AND state = 'pending' ORDER BY rowid;

-- name: unconfirmed
-- Messages to an attempt of which it is not known that they arrived.
SELECT * FROM outbox
WHERE attempt = :attempt AND kind = 'message' AND state IN ('pending', 'sent') ORDER BY rowid;

-- name: of_session
-- Everything that was ever written to a session, in order.
SELECT * FROM outbox WHERE session = :session ORDER BY rowid;

-- name: sent
-- Notes that an entry was written to an attempt.
UPDATE outbox SET state = 'sent', attempt = :attempt, sent_at = :now WHERE id = :id AND state = 'pending';

-- name: written
-- Notes when an answer was written; one that is not pending any more stays as it is.
UPDATE outbox SET state = 'sent', sent_at = :at WHERE id = :id AND state = 'pending';

-- name: failed
-- Notes that an entry could not be delivered, and why.
UPDATE outbox SET state = 'failed', detail = :detail WHERE id = :id AND state IN ('pending', 'sent');

-- name: delivered
-- Notes that the agent took the oldest message with this text, or else with this beginning.
UPDATE outbox SET state = 'delivered'
WHERE id = (
    SELECT id FROM outbox
    WHERE attempt = :attempt AND kind = 'message' AND state IN ('pending', 'sent')
    AND (body = :body OR substr(body, 1, length(:beginning)) = :beginning)
    ORDER BY body = :body DESC, rowid LIMIT 1
);

-- name: delivered_together
-- Notes that the agent took every message that is a part of this text.
UPDATE outbox SET state = 'delivered'
WHERE attempt = :attempt AND kind = 'message' AND state IN ('pending', 'sent') AND instr(:body, body) > 0;

-- name: void_replies
-- Gives up the answers that an attempt was not given before it ended.
UPDATE outbox SET state = 'failed', detail = 'The attempt had ended.'
WHERE attempt = :attempt AND kind = 'reply' AND state = 'pending';
