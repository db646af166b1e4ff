-- severity: error
-- threshold: at most 0
-- unit: share of kept rationales
-- meaning: A refusal was kept as a rationale: a model learns to refuse.
-- fix: Put them out with a filter, such as `not (rationale.response is mentioning("I cannot help"))`.
-- skipped: no rationale was kept
WITH looked AS (
  SELECT id, regexp_matches(left(response, 200),
    '(?i)^\W*(I[''’ ]a?m (sorry|unable to)|(sorry|unfortunately),? (but )?I (can|am|must)|I (cannot|can[''’]?t|won[''’]?t) (help|assist|comply|provide|answer)|as an AI)') AS refused
  FROM kept_rationales
)
SELECT avg(refused::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (refused) AS examples FROM looked
