-- severity: error
-- threshold: at most 0.05
-- unit: share of answered calls with a thought, of steps that make rationales
-- meaning: Models thought before they replied, and the records of these calls have no thought: the reasoning was paid for and
--   stands in the ledger alone. Not counted are calls that made no record, reviews, critiques and thought trees (their thoughts
--   belong in the ledger), and steps with the option `thought: drop`.
-- fix: Read one: synth calls RUN CALL. Where a step is to leave thoughts out, give it `thought: drop`. A step of your own has
--   to hand the thought of its reply on: Rationale.make(…, thought=reply.thought, thought_kind=reply.thought_kind).
-- skipped: no call that was to make a rationale has a thought
WITH dropping AS (SELECT name FROM pipeline_steps WHERE options->>'thought' = 'drop'),
-- A thought tree is verbalized by a step that asks no model: its rationales name the calls of another step.
made AS MATERIALIZED (
  SELECT c.id, c.unit, c.step, bool_or(coalesce(r.thought, '') <> '') AS thinks
  FROM rationales r JOIN calls c ON c.id = r.call AND c.step = r.step GROUP BY ALL
),
-- What a repaired reply says stands in the record of the call that repaired it.
outcomes AS (
  SELECT id, thinks FROM made UNION ALL SELECT c.repairs, m.thinks FROM made m JOIN calls c ON c.id = m.id WHERE c.repairs IS NOT NULL
),
thinking AS MATERIALIZED (
  SELECT id, unit, step FROM calls
  WHERE status = 'ok' AND thought <> '' AND step IN (SELECT step FROM made) AND step NOT IN (FROM dropping)
),
-- A call that made no record itself may have helped to make one: then the records of its step in the same unit count.
units AS (SELECT unit, step, bool_or(thinks) AS thinks FROM made GROUP BY ALL),
-- A twentieth may be lost: repairs are asked for without the thought that led to the reply.
judged AS (
  SELECT t.id, t.step, NOT coalesce((SELECT bool_or(o.thinks) FROM outcomes o WHERE o.id = t.id), u.thinks) AS lost
  FROM thinking t LEFT JOIN units u ON u.unit = t.unit AND u.step = t.step
)
SELECT avg(lost::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (lost) AS examples,
  (SELECT format('most of step {}', step) FROM judged WHERE lost GROUP BY step ORDER BY count(*) DESC, step LIMIT 1) AS note
FROM judged WHERE lost IS NOT NULL
