/* How far a pass of the review can be trusted, by how often the problem is solved. */
SELECT CASE WHEN p.value <= 0.2 THEN 'hard (to 0.2)' WHEN p.value < 0.8 THEN 'medium' ELSE 'easy (from 0.8)' END AS problems,
  avg(c.value) FILTER (o.value > 0.5) AS precision, sum(c.value) FILTER (o.value > 0.5) / sum(c.value) AS recall,
  count(*) AS answers, count(*) - count(o.value) AS not_reviewed
FROM rationales r
JOIN scores c ON c.target = r.id AND c.name = 'correct'
JOIN scores p ON p.target = r.problem AND p.name = 'pass_rate'
LEFT JOIN scores o ON o.target = r.id AND o.name = 'own'
GROUP BY 1 ORDER BY min(p.value)
