/* Where steps are labelled (`step_correct`): does the review find the first wrong one, and pass what has none. F1 is their harmonic mean. */
WITH gold AS (
  SELECT target, min(part.index) FILTER (value < 0.5) + 1 AS first_wrong FROM scores WHERE name = 'step_correct' GROUP BY 1
), said AS (
  SELECT g.first_wrong, o.value AS own, f.value AS own_first_wrong FROM gold g
  LEFT JOIN scores o ON o.target = g.target AND o.name = 'own'
  LEFT JOIN scores f ON f.target = g.target AND f.name = 'own_first_wrong'
), shares AS (
  SELECT avg((own_first_wrong IS NOT DISTINCT FROM first_wrong)::INT) FILTER (first_wrong IS NOT NULL) AS found,
    avg((coalesce(own > 0.5, false))::INT) FILTER (first_wrong IS NULL) AS passed
  FROM said
)
SELECT found, passed, CASE WHEN found + passed > 0 THEN 2 * found * passed / (found + passed) ELSE 0 END AS f1 FROM shares
