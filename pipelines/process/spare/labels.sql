/* What the judge says of steps, by whether the answer of their solution is right, whether they match a step of the reference, and whether they are
   the last: a judge that only looks at the final answer gives all steps of a solution the same label (`same_label`). */
SELECT CASE WHEN c.value > 0.5 THEN 'right' ELSE 'wrong' END AS answer, l.value > 0 AS matches_reference, j.part.index = len(r.steps) - 1 AS last_step,
  count(*) AS steps, avg(j.value) AS judged_right,
  avg((same.lowest = same.highest)::INT) AS same_label
FROM scores j
JOIN scores l ON l.target = j.target AND l.part = j.part AND l.name = 'linked'
JOIN scores c ON c.target = j.target AND c.name = 'correct'
JOIN rationales r ON r.id = j.target
JOIN (SELECT target, min(value) AS lowest, max(value) AS highest FROM scores WHERE name = 'step_judged' GROUP BY 1) same ON same.target = j.target
WHERE j.name = 'step_judged'
GROUP BY ALL ORDER BY ALL
