-- severity: warning
-- threshold: at most 0.1
-- unit: share of problems with a failure
-- least: 10
-- meaning: Something could not be made for these problems; what is missing is seldom missing at random.
-- fix: synth status RUN shows the causes; synth retry RUN does them again.
-- skipped: the run is empty
SELECT CASE WHEN count(*) > 0 THEN (SELECT count(DISTINCT unit) FROM failures) / count(*) END AS value, count(*) AS n,
  (SELECT list(id ORDER BY id) FROM failures) AS examples,
  (SELECT format('most often {}', cause) FROM failures GROUP BY cause ORDER BY count(*) DESC, cause LIMIT 1) AS note
FROM problems WHERE step = 'input'
