-- severity: warning
-- threshold: at most 1
-- unit: standard deviations between a reviewer's scores and the others' of the same records, at worst
-- least: 10
-- meaning: A reviewer scores the same records far higher or lower than the others do: whether a record passes depends on who
--   reviewed it.
-- fix: synth audit RUN --save-calibration reviewers.json, and give that file to the review as `calibration`.
-- skipped: no two reviewers scored the same record
WITH given AS MATERIALIZED (
  SELECT name AS review, judge AS reviewer, target, avg(value) AS value FROM scores
  WHERE name LIKE '%\_single' ESCAPE '\' AND value IS NOT NULL GROUP BY ALL
),
whole AS (SELECT review, target, sum(value) AS total, count(*) AS k FROM given GROUP BY ALL HAVING count(*) > 1),
compared AS (SELECT review, reviewer, value - (total - value) / (k - 1) AS above FROM given JOIN whole USING (review, target)),
spread AS (SELECT review, stddev_pop(value) AS std FROM given GROUP BY review),
apart AS (SELECT review, reviewer, avg(above) / nullif(any_value(std), 0) AS shift, count(*) AS n FROM compared JOIN spread USING (review) GROUP BY ALL)
SELECT max(abs(coalesce(shift, 0))) AS value, min(n) AS n,
  format('{}: {:+.2f}', arg_max(reviewer, abs(coalesce(shift, 0))), arg_max(coalesce(shift, 0), abs(coalesce(shift, 0)))) AS note
FROM apart
