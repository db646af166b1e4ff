-- severity: warning
-- threshold: at most 0.9
-- unit: share of kept rationales
-- least: 20
-- meaning: Nearly all that was kept is by one of several models: the others cost and add nothing, and its habits are what
--   is learnt.
-- fix: See why the others' were rejected: SELECT model, rejected_by, count(*) FROM wide_rationales GROUP BY ALL. Cap each
--   model with the corpus step `limit_per_group`, or do without the others.
-- skipped: a single model wrote them
WITH written AS (
  SELECT r.model, r.id IN (SELECT id FROM kept_rationales) AS kept FROM rationales r
  WHERE r.model IS NOT NULL AND r.step IN (SELECT step FROM kept_rationales)
),
counted AS (SELECT model, count(*) FILTER (kept) AS n FROM written GROUP BY model)
SELECT CASE WHEN count(*) > 1 AND sum(n) > 0 THEN max(n) / sum(n) END AS value, sum(n)::BIGINT AS n,
  format('{} wrote {} of {}', arg_max(model, n), max(n), sum(n)::BIGINT) AS note
FROM counted
