-- name: insert
-- Adds a question.
INSERT INTO approvals (
    id, subject_type, subject, question, channel, asked, digest, requested_by, created_at, status, reason, options,
    "default", risk, preview, judgement, project, plan, task, session, attempt, request_key, expires_at, decision,
    decided_by, decided_at, rationale, consumed_at, consumed_by
) VALUES (
    :id, :subject_type, :subject, :question, :channel, :asked, :digest, :requested_by, :created_at, :status, :reason,
    :options, :default, :risk, :preview, :judgement, :project, :plan, :task, :session, :attempt, :request_key,
    :expires_at, :decision, :decided_by, :decided_at, :rationale, :consumed_at, :consumed_by
);

-- name: move
-- Gives an approval another status, only if it still has the one that was read.
UPDATE approvals SET
    status = :status, reason = :reason, decision = :decision, decided_by = :decided_by, decided_at = :decided_at,
    rationale = :rationale, consumed_at = :consumed_at, consumed_by = :consumed_by
WHERE id = :id AND status = :before;

-- name: get
-- One approval.
SELECT * FROM approvals WHERE id = :id;

-- name: matching
-- Approvals that a text may mean: an id or its beginning.
SELECT * FROM approvals WHERE id >= :text AND id < :text || char(1114111) ORDER BY rowid;

-- name: by_key
-- The approval that a request of a session (or of none) made, unless another took its place.
SELECT * FROM approvals
WHERE coalesce(session, '') = coalesce(:session, '') AND request_key = :request_key AND request_key IS NOT NULL
    AND status != 'superseded';

-- name: open
-- Everything that waits for a decision, or for what was decided to be used; oldest first.
SELECT * FROM approvals WHERE status IN ('pending', 'approved') ORDER BY rowid;

-- name: open_of_session
-- The same for one session.
SELECT * FROM approvals WHERE session = :session AND status IN ('pending', 'approved') ORDER BY rowid;

-- name: open_of_plan
-- The same for one plan.
SELECT * FROM approvals WHERE plan = :plan AND status IN ('pending', 'approved') ORDER BY rowid;

-- name: latest_of_attempt
-- The newest question by which an attempt exits to ask.
SELECT * FROM approvals WHERE attempt = :attempt AND channel = 'rerun' ORDER BY rowid DESC LIMIT 1;

-- name: pending
-- Everything that waits for a decision, oldest first; optionally of one project.
SELECT * FROM approvals
WHERE status IN ('pending', 'approved') AND status = 'pending' AND (:project IS NULL OR project = :project)
ORDER BY rowid;

-- name: all
-- Every approval, newest first; optionally of one project or session.
SELECT * FROM approvals
WHERE (:project IS NULL OR project = :project) AND (:session IS NULL OR session = :session)
ORDER BY rowid DESC LIMIT :limit;

-- name: due
-- Questions whose time is over.
SELECT * FROM approvals WHERE status = 'pending' AND expires_at IS NOT NULL AND expires_at <= :now ORDER BY rowid;

-- name: next_due
-- When the next one's time is over.
SELECT min(expires_at) FROM approvals WHERE status = 'pending' AND expires_at IS NOT NULL;

-- name: count_pending
-- How many wait for a decision.
SELECT count(*) FROM approvals WHERE status IN ('pending', 'approved') AND status = 'pending';

-- name: has_pending
-- Whether a session waits for a decision.
SELECT EXISTS (SELECT 1 FROM approvals WHERE session = :session AND status = 'pending');

-- name: of_plan
-- Every question about a plan or one of its tasks, oldest first.
SELECT * FROM approvals WHERE plan = :plan ORDER BY rowid;

-- name: sessions_of_plan
-- The sessions in which the last attempts of a plan's tasks ran, with the tasks.
SELECT session, id FROM tasks WHERE plan = :plan AND session IS NOT NULL;
