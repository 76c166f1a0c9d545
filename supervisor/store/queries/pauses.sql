-- name: put
-- Pauses an agent. A pause that is there is only made longer (null is the longest).
INSERT INTO agent_pauses (agent, "until", reason, since) VALUES (:agent, :until, :reason, :since)
ON CONFLICT (agent) DO UPDATE SET "until" = excluded."until", reason = excluded.reason
WHERE agent_pauses."until" < excluded."until" OR (excluded."until" IS NULL AND agent_pauses."until" IS NOT NULL);

-- name: get
-- The pause of one agent.
SELECT * FROM agent_pauses WHERE agent = :agent;

-- name: all
-- Every pause.
SELECT * FROM agent_pauses ORDER BY agent;

-- name: lift
-- Ends the pause of one agent.
DELETE FROM agent_pauses WHERE agent = :agent;
