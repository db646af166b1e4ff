-- severity: warning
-- threshold: at most 0.9
-- unit: share of kept rationales
-- least: 20
-- meaning: Nearly all that was kept is by one of several teachers: the others cost and add nothing, and its habits are what
--   is learnt.
-- remedy: See why the others' are out: SELECT teacher, rejected_by, count(*) FROM wide_rationales GROUP BY ALL. Cap each
--   teacher with the corpus step `cap`, or do without the others.
-- skipped: a single teacher wrote them
WITH written AS (
  SELECT r.teacher, r.id IN (SELECT id FROM kept_rationales) AS kept FROM rationales r
  WHERE r.teacher IS NOT NULL AND r.step IN (SELECT step FROM kept_rationales)
),
counted AS (SELECT teacher, count(*) FILTER (kept) AS n FROM written GROUP BY teacher)
SELECT CASE WHEN count(*) > 1 AND sum(n) > 0 THEN max(n) / sum(n) END AS value, sum(n)::BIGINT AS n,
  format('{} wrote {} of {}', arg_max(teacher, n), max(n), sum(n)::BIGINT) AS note
FROM counted
