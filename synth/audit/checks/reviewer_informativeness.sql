-- severity: warning
-- threshold: at least 0.6
-- unit: chance that a reviewer scores a right answer above a wrong one, of the least informative reviewer
-- least: 20
-- meaning: A reviewer's scores say next to nothing about whether the answer is right (0.5 says nothing).
-- fix: Do without that reviewer, or let it compare with the gold answer; read some of its reasons.
-- skipped: no reviewer scored both right and wrong answers
WITH checked AS (SELECT target, any_value(value) = 1 AS correct FROM scores WHERE name = 'correct' AND value IS NOT NULL GROUP BY target),
counted AS (
  SELECT s.name, s.judge AS reviewer, s.value, c.correct, count(*) AS many FROM scores s JOIN checked c USING (target)
  WHERE s.name LIKE '%\_single' ESCAPE '\' AND s.value IS NOT NULL GROUP BY ALL
),
judged AS MATERIALIZED (
  SELECT reviewer, area_under_curve(list(value ORDER BY value, correct), list(correct ORDER BY value, correct),
    list(many ORDER BY value, correct)) AS auc, sum(many)::BIGINT AS n
  FROM counted GROUP BY name, reviewer
)
SELECT min(auc) AS value, arg_min(n, auc) AS n, arg_min(reviewer, auc) AS note FROM judged WHERE auc IS NOT NULL
