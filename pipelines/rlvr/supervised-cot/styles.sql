/* Of each style: how often the answer is right, how often a step is, and how many right answers have a wrong step. */
WITH tries AS (
  SELECT r.id, r.step AS style, c.value AS correct, avg(s.value) AS steps_right, count(s.value) AS steps
  FROM rationales r JOIN scores c ON c.target = r.id AND c.name = 'correct'
  LEFT JOIN scores s ON s.target = r.id AND s.name = 'step_correct' GROUP BY ALL
)
SELECT style, count(*) AS solutions, avg(correct) AS answers_right, sum(steps_right * steps) / nullif(sum(steps), 0) AS steps_right,
  avg((steps_right < 1)::INT) FILTER (correct = 1) AS wrong_step_of_right
FROM tries GROUP BY style ORDER BY style
