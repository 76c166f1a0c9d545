-- name: put
-- Notes how far a budget is.
INSERT INTO budget_levels (scope, period, measure, level, since, used, "limit", granted)
VALUES (:scope, :period, :measure, :level, :since, :used, :limit, :granted)
ON CONFLICT (scope, period, measure) DO UPDATE SET
    level = excluded.level, since = excluded.since, used = excluded.used, "limit" = excluded."limit",
    granted = excluded.granted;

-- name: get
-- How far one budget is.
SELECT * FROM budget_levels WHERE scope = :scope AND period = :period AND measure = :measure;

-- name: of_scope
-- How far the budgets of a scope are, in a period.
SELECT * FROM budget_levels WHERE scope = :scope AND period = :period ORDER BY measure;

-- name: raised
-- The budgets that are near their limit or over it: those without a period, and those of one.
SELECT * FROM budget_levels WHERE level != 'closed' AND period IN ('', :period) ORDER BY scope, measure;

-- name: tripped
-- Of some scopes (a JSON list), the budgets that are used up, the first that tripped first.
SELECT * FROM budget_levels
WHERE level != 'closed' AND level = 'tripped' AND scope IN (SELECT value FROM json_each(:scopes))
    AND period IN ('', :period)
ORDER BY since, scope, measure;
