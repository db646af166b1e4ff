-- severity: warning
-- threshold: at most 0.05
-- unit: share of kept rationales that are cut into steps
-- least: 20
-- meaning: Rationales have far more or fewer steps than the others of their step of the pipeline (beyond three interquartile ranges,
--   and by more than five): often loops, or text that was cut in the wrong places.
-- fix: Read the examples; filter by `rationale.steps | length`, or take another segmenter.
-- skipped: no kept rationale is cut into steps
WITH sized AS MATERIALIZED (SELECT id, step, len(steps) AS size FROM kept_rationales WHERE len(steps) > 0),
usual AS (SELECT step, quantile_cont(size, [0.25, 0.5, 0.75]) AS q FROM sized GROUP BY step),
judged AS (
  SELECT id, (size < q[1] - 3 * (q[3] - q[1]) OR size > q[3] + 3 * (q[3] - q[1])) AND abs(size - q[2]) > 5 AS odd
  FROM sized JOIN usual USING (step)
)
SELECT avg(odd::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (odd) AS examples FROM judged
