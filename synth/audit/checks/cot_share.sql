-- severity: error
-- threshold: at most 4
-- unit: standard deviations (of one row at least) between rows that have their rationale and those that were to have it
-- least: 20
-- meaning: Rows are learnt with a rationale more or less often than the schedule of `cot_share` says, over all or in a tenth of it.
-- fix: Put `cot_share` last among the corpus steps, so that none rejects rows of one sort after it; where rows have no
--   schedule, give the command of the run again. Rationales that state no answer cannot stand for the answer alone: filter them.
-- skipped: no step cot_share has scheduled rationales
WITH rows AS (
  SELECT r.id, coalesce(s.value, 0) AS p, s.label IS NULL OR s.label = 'rationale' AS reasoned, s.id IS NOT NULL AS scheduled
  FROM kept_rationales r JOIN problems p ON p.id = r.problem
  LEFT JOIN scores s ON s.target = r.id AND s.name = 'cot_share'
  WHERE coalesce(s.label, '') <> 'answer' OR coalesce(r.answer, p.answer) IS NOT NULL
),
placed AS (SELECT *, ntile(10) OVER (ORDER BY p, id) AS part FROM rows WHERE (SELECT count(*) FROM rows WHERE scheduled) > 0),
parts AS (
  SELECT abs(count(*) FILTER (reasoned) - sum(p)) / greatest(sqrt(sum(p * (1 - p))), 1) AS off FROM placed GROUP BY GROUPING SETS ((part), ())
)
SELECT max(off) AS value, (SELECT count(*) FROM placed) AS n,
  (SELECT format('{} of {} rows have their rationale, {:.0f} were to', count(*) FILTER (reasoned), count(*), sum(p)) FROM placed) AS note
FROM parts
