/* How often each way to pick an answer picks the right one; where several answers tie, the share of them that is right. */
SELECT policy, avg(accuracy) AS accuracy, count(*) AS problems
FROM (
  SELECT r.problem, s.name AS policy, avg(c.value) AS accuracy
  FROM rationales r
  JOIN scores s ON s.target = r.id AND s.name LIKE 'pick_%' AND s.value = 1
  JOIN scores c ON c.target = r.id AND c.name = 'correct'
  GROUP BY ALL
)
GROUP BY policy ORDER BY accuracy
