-- severity: warning
-- threshold: at most 1
-- unit: standard deviations between a reviewer's scores and the others' of the same records, at worst
-- least: 10
-- meaning: A reviewer scores the same records far higher or lower than the others do: whether a record passes depends on who
--   reviewed it.
-- remedy: synth audit RUN --save-leniency reviewers.json, and give that file to the review as `calibration`.
-- skipped: no two reviewers scored the same record
WITH compared AS (
  SELECT a.review, a.reviewer, a.target, any_value(a.value) - avg(b.value) AS above
  FROM reviews a JOIN reviews b ON b.target = a.target AND b.review = a.review AND b.reviewer <> a.reviewer
  WHERE a.value IS NOT NULL AND b.value IS NOT NULL GROUP BY ALL
),
spread AS (SELECT review, stddev_pop(value) AS std FROM reviews WHERE value IS NOT NULL GROUP BY review),
apart AS (SELECT review, reviewer, avg(above) / nullif(any_value(std), 0) AS shift, count(*) AS n FROM compared JOIN spread USING (review) GROUP BY ALL)
SELECT max(abs(coalesce(shift, 0))) AS value, min(n) AS n,
  format('{}: {:+.2f}', arg_max(reviewer, abs(coalesce(shift, 0))), arg_max(coalesce(shift, 0), abs(coalesce(shift, 0)))) AS note
FROM apart
