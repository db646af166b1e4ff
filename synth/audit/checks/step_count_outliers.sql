-- severity: warning
-- threshold: at most 0.05
-- unit: share of kept rationales that are cut into steps
-- least: 20
-- meaning: Rationales have far more or fewer steps than the others of their step of the pipeline (beyond three interquartile ranges,
--   and by more than five): often loops, or text that was cut in the wrong places.
-- remedy: Read the examples; filter by `rationale.steps | length`, or take another segmenter.
-- skipped: no kept rationale is cut into steps
WITH measured AS (
  SELECT id, len(steps) AS size, quantile_cont(len(steps), [0.25, 0.5, 0.75]) OVER (PARTITION BY step) AS q
  FROM kept_rationales WHERE len(steps) > 0
),
judged AS (
  SELECT id, (size < q[1] - 3 * (q[3] - q[1]) OR size > q[3] + 3 * (q[3] - q[1])) AND abs(size - q[2]) > 5 AS odd FROM measured
)
SELECT avg(odd::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (odd) AS examples FROM judged
