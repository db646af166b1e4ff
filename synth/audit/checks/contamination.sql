-- severity: error
-- threshold: at most 0
-- unit: kept records that derive from one rejected as a benchmark's
-- meaning: Something that gives away an item of a benchmark was rejected, and a kept record still carries it.
-- fix: Put the record out too: a corpus step `decontaminate` for its kind (target: problem, and target: rationale).
-- skipped: not looked for: no step `decontaminate` or `contamination` ran
WITH ran AS (SELECT name FROM pipeline_steps WHERE step IN ('decontaminate', 'contamination')),
dirty AS (SELECT DISTINCT record FROM contamination),
carried AS (
  SELECT id FROM kept_problems WHERE parent IN (FROM dirty)
  UNION SELECT id FROM kept_rationales WHERE parent IN (FROM dirty)
  UNION SELECT id FROM kept_critiques WHERE target IN (FROM dirty)
  UNION SELECT id FROM kept_pairs WHERE chosen IN (FROM dirty) OR rejected IN (FROM dirty)
),
such AS (FROM contamination ORDER BY share DESC, record LIMIT 1)
SELECT CASE WHEN (SELECT count(*) FROM ran) + (SELECT count(*) FROM dirty) > 0 THEN count(*) END AS value,
  (SELECT count(*) FROM problems) AS n, list(id ORDER BY id) AS examples,
  format('{} records were rejected', (SELECT count(*) FROM dirty)) || coalesce(
    (SELECT format(': {}, by row {} of {} ("{}"); all: --look', record, item_row, benchmark, left(words, 80)) FROM such), '') AS note
FROM carried
