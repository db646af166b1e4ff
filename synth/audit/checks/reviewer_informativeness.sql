-- severity: warning
-- threshold: at least 0.6
-- unit: chance that a reviewer scores a right answer above a wrong one, of the reviewer that tells least
-- least: 20
-- meaning: A reviewer's scores say next to nothing about whether the answer is right (0.5 says nothing).
-- remedy: Do without that reviewer, or let it compare with the gold answer; read some of its reasons.
-- skipped: no reviewer scored both right and wrong answers
WITH judged AS (
  SELECT review, reviewer, area_under_curve(list(value ORDER BY id), list(correct = 1 ORDER BY id)) AS auc, count(*) AS n
  FROM reviews WHERE value IS NOT NULL AND correct IS NOT NULL GROUP BY ALL
)
SELECT min(auc) AS value, arg_min(n, auc) AS n, arg_min(reviewer, auc) AS note FROM judged WHERE auc IS NOT NULL
