/* How many solutions end wrong, and how many that end right have a step that is labelled wrong. */
WITH traces AS (
  SELECT r.id, c.value AS outcome, bool_or(s.value < 0.5) AS has_error
  FROM rationales r
  JOIN scores c ON c.target = r.id AND c.name = 'correct'
  JOIN scores s ON s.target = r.id AND s.name = 'step_correct'
  GROUP BY ALL
)
SELECT 1 - avg(outcome) AS final_error, avg(has_error::INT) FILTER (outcome > 0.5) AS trace_error, count(*) AS solutions FROM traces
