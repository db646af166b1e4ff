/* The error among answers that are kept, where the share with the least reward is rejected. Of answers with one reward at the border a share
   is kept: the expectation over which of them it is. */
WITH ranked AS (
  SELECT c.value AS outcome, (rank() OVER (ORDER BY s.value) - 1) / count(*) OVER () AS low, cume_dist() OVER (ORDER BY s.value) AS high
  FROM rationales r
  JOIN scores c ON c.target = r.id AND c.name = 'correct'
  JOIN scores s ON s.target = r.id AND s.name = 'reward' AND s.value IS NOT NULL
), kept AS (
  SELECT rejected, outcome, least(1, greatest(0, (high - rejected) / (high - low))) AS share
  FROM ranked, (VALUES (0.0), (0.1), (0.3), (0.5)) AS shares(rejected)
)
SELECT rejected, 1 - sum(outcome * share) / sum(share) AS error, round(sum(share), 3) AS kept
FROM kept GROUP BY rejected ORDER BY rejected
