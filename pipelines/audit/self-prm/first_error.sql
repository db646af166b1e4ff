/* Where steps are labelled (`step_correct`): does the review find the first wrong one, and pass what has none. F1 is their harmonic mean. */
WITH marked AS (
  SELECT target, coalesce(min(part.index) FILTER (value < 0.5), -1) AS first_wrong FROM scores WHERE name = 'step_correct' GROUP BY 1
), said AS (
  SELECT m.first_wrong, CASE WHEN o.value > 0.5 THEN -1 ELSE f.value::BIGINT - 1 END AS own FROM marked m
  LEFT JOIN scores o ON o.target = m.target AND o.name = 'own'
  LEFT JOIN scores f ON f.target = m.target AND f.name = 'own_first_wrong'
), found AS (SELECT first_error(list(own), list(first_wrong), NULL) AS e FROM said)
SELECT e.on_erroneous AS found, e.on_correct AS passed, e.f1 AS f1 FROM found
