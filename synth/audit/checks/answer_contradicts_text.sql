-- severity: warning
-- threshold: at most 0.1
-- unit: share of kept rationales, 10,000 at random where there are more
-- least: 10
-- meaning: The reasoning comes to another answer than the record states, and its last line does not name the one it states.
--   The reasoning is that of the response; where the response states the answer alone, the thought.
-- fix: Read some. A model that argues for one answer and gives another is guessing: filter with a review, or take
--   another model. Where the answer was read wrongly, the format of the reply is at fault.
-- skipped: no kept rationale comes to a number, a choice or yes or no
WITH chosen AS MATERIALIZED (
  -- Ids are hashes, so that the first ones are a random sample. To read an answer takes a third of a millisecond.
  SELECT r.id, r.answer, p.answer_kind AS kind, p.choices FROM kept_rationales r JOIN problems p ON p.id = r.problem
  WHERE p.answer_kind IN ('number', 'choice', 'boolean') AND p.rubric IS NULL AND r.answer IS NOT NULL AND r.style <> 'options'
  ORDER BY r.id LIMIT 10000
),
-- Reasoning comes to its answer at its end, and a thought may have 200,000 characters before that.
sample AS (
  SELECT c.*, right(r.text, 4000) AS text, contains(left(r.thought, 300), left(r.text, 100)) AS thinks
  FROM chosen c JOIN rationales r ON r.id = c.id
),
stated AS MATERIALIZED (
  -- A thought seldom ends in its answer: it checks it first, or goes over to the wording of the response.
  SELECT id, answer, kind, choices, stated_answer(text, kind, choices) AS said,
    CASE WHEN thinks THEN right(text, 500) ELSE regexp_extract(rtrim(text), '[^\n]*$') END AS last_lines
  FROM sample
),
judged AS MATERIALIZED (
  SELECT id, NOT same_answer(said, answer, kind, choices)
    AND NOT (kind = 'number' AND contains(replace(last_lines, ',', ''), replace(answer, ',', ''))) AS differs
  FROM stated WHERE said IS NOT NULL
)
SELECT avg(differs::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (differs) AS examples
FROM judged WHERE differs IS NOT NULL
