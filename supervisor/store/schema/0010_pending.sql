-- What waits to be written to an agent is found without what was written to it before.

CREATE INDEX outbox_pending ON outbox (session) WHERE state = 'pending';
