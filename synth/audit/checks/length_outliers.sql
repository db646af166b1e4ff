-- severity: warning
-- threshold: at most 0.05
-- unit: share of kept rationales
-- least: 20
-- meaning: Rationales are far longer or shorter than the others of their step (beyond three interquartile ranges of the logarithm
--   of their length, and by a factor of four): often loops, replies that were cut off, or answers without reasoning.
-- fix: Read the examples. Filter by `rationale.reasoning | length`, or lower max_tokens.
-- skipped: no rationale was kept
WITH sized AS MATERIALIZED (
  -- The length of `reasoning` but for a few blanks, in a twentieth of the time that the column takes where thoughts are long.
  SELECT id, step, ln(greatest(coalesce(length(thought), 0) + length(response) - coalesce(answer_span[2] - answer_span[1], 0), 1)) AS size
  FROM kept_rationales
),
usual AS (SELECT step, quantile_cont(size, [0.25, 0.5, 0.75]) AS q FROM sized GROUP BY step),
judged AS (
  SELECT id, (size < q[1] - 3 * (q[3] - q[1]) OR size > q[3] + 3 * (q[3] - q[1])) AND abs(size - q[2]) > ln(4) AS odd
  FROM sized JOIN usual USING (step)
)
SELECT avg(odd::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (odd) AS examples FROM judged
