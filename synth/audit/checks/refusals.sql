-- severity: warning
-- threshold: at most 0.02
-- unit: share of calls
-- least: 20
-- meaning: Models refuse to answer.
-- fix: Read some: SELECT id, model, step, reply, error FROM calls WHERE status = 'refused'. Fix the prompt, leave such
--   problems out, or take another model.
-- skipped: no call was made
WITH looked AS (
  SELECT id, model, status = 'refused' OR regexp_matches(left(coalesce(reply, ''), 200),
    '(?i)^\W*(I[''’ ]a?m (sorry|unable to)|(sorry|unfortunately),? (but )?I (can|am|must)|I (cannot|can[''’]?t|won[''’]?t) (help|assist|comply|provide|answer)|as an AI)') AS refused
  FROM current_calls
)
SELECT avg(refused::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (refused) AS examples FROM looked
