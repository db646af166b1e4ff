/* What training on both gained over reinforcement learning alone, by bucket and over all, with the exact test of McNemar on the
   problems in which the two differ. */
WITH results AS (
  SELECT r.problem, json_extract_string(p.meta, '$.bucket') AS bucket,
    max(s.value) FILTER (r.model = 'both') AS with_both, max(s.value) FILTER (r.model = 'rl') AS with_rl
  FROM rationales r JOIN problems p ON p.id = r.problem JOIN scores s ON s.target = r.id AND s.name = 'correct'
  GROUP BY ALL HAVING with_both IS NOT NULL AND with_rl IS NOT NULL
), counted AS (
  SELECT CASE WHEN grouping(bucket) = 1 THEN 'over all' ELSE bucket END AS bucket, count(*) AS problems,
    avg(with_both) - avg(with_rl) AS gain,
    count(*) FILTER (with_both > with_rl) AS gained, count(*) FILTER (with_both < with_rl) AS lost
  FROM results GROUP BY GROUPING SETS ((bucket), ())
)
SELECT *, least(1, 2 * list_sum([exp(lgamma(gained + lost + 1) - lgamma(i + 1) - lgamma(gained + lost - i + 1) - (gained + lost) * ln(2))
  FOR i IN range(0, least(gained, lost) + 1)])) AS p
FROM counted ORDER BY bucket = 'over all', bucket
