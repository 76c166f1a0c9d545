-- name: applied
-- Notes that a migration was applied, and by which program.
INSERT INTO migrations (number, name, applied_at, program) VALUES (:number, :name, :now, :program);

-- name: newest
-- The program that applied the newest migration.
SELECT program FROM migrations ORDER BY number DESC LIMIT 1;
