-- severity: warning
-- threshold: at most 0.2
-- unit: share of answered calls
-- least: 20
-- meaning: Calls were answered, and nothing in the run stems from what their step did with that problem: paid for nothing, or
--   by an earlier version of the pipeline.
-- fix: synth calls RUN --by step; after changes of a pipeline this is expected: begin a new run folder for a clean ledger.
-- skipped: no call was answered
WITH made AS (
  SELECT unit, step FROM problems UNION SELECT unit, step FROM rationales UNION SELECT unit, step FROM nodes
  UNION SELECT unit, step FROM scores UNION SELECT unit, step FROM critiques UNION SELECT unit, step FROM pairs
  UNION SELECT unit, step FROM rejections UNION SELECT unit, step FROM failures
),
looked AS (
  SELECT c.id, c.step, m.unit IS NULL AND c.id NOT IN (SELECT id FROM current_calls) AS lost
  FROM calls c LEFT JOIN made m ON m.unit = c.unit AND m.step = c.step
  WHERE c.status = 'ok' AND c.unit IS NOT NULL
)
SELECT avg(lost::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (lost) AS examples,
  (SELECT format('most of step {}', step) FROM looked WHERE lost GROUP BY step ORDER BY count(*) DESC, step LIMIT 1) AS note
FROM looked
