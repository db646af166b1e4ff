/* How often each way to pick an answer picks the right one; where several answers tie, the share of them that is right. The votes count
   answers as the step `vote` does, for which two ways to write an answer are one. */
WITH samples AS (
  SELECT r.problem, list(c.value > 0.5 ORDER BY r.id) AS outcomes, list(o.value ORDER BY r.id) AS reviews, count(*) AS k
  FROM rationales r
  JOIN scores c ON c.target = r.id AND c.name = 'correct'
  LEFT JOIN scores o ON o.target = r.id AND o.name = 'own'
  GROUP BY 1
), accuracies AS (
  SELECT problem, 'best' AS policy, best_of_n(reviews, outcomes, k) AS accuracy FROM samples
  UNION ALL SELECT problem, 'oracle', pass_at_n(outcomes, k) FROM samples
  UNION ALL SELECT r.problem, s.name[6:], avg(c.value)
  FROM rationales r
  JOIN scores s ON s.target = r.id AND s.name IN ('pick_majority', 'pick_filtered') AND s.value = 1
  JOIN scores c ON c.target = r.id AND c.name = 'correct'
  GROUP BY ALL
)
SELECT policy, avg(accuracy) AS accuracy, count(*) AS problems FROM accuracies GROUP BY policy ORDER BY accuracy
