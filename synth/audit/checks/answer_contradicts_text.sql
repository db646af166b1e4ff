-- severity: warning
-- threshold: at most 0.1
-- unit: share of kept rationales, 10,000 at random where there are more
-- least: 10
-- meaning: The reasoning comes to another answer than the record states, and its last line does not name the one it states.
-- remedy: Read some. A teacher that argues for one answer and gives another is guessing: filter with a review, or take
--   another teacher. Where the answer was read wrongly, the format of the reply is at fault.
-- skipped: no kept rationale comes to a number, a choice or yes or no
WITH sample AS (
  -- Ids are hashes, so that the first ones are a random sample. To read an answer takes a third of a millisecond.
  SELECT r.id, r.answer, p.answer_kind AS kind, p.choices, r.text FROM kept_rationales r JOIN problems p ON p.id = r.problem
  WHERE p.answer_kind IN ('number', 'choice', 'boolean') AND p.rubric IS NULL AND r.answer IS NOT NULL AND r.style <> 'options'
  ORDER BY r.id LIMIT 10000
),
stated AS MATERIALIZED (
  SELECT id, answer, kind, choices, stated_answer(text, kind, choices) AS said, regexp_extract(rtrim(text), '[^\n]*$') AS last_line
  FROM sample
),
judged AS MATERIALIZED (
  SELECT id, NOT same_answer(said, answer, kind, choices)
    AND NOT (kind = 'number' AND contains(replace(last_line, ',', ''), replace(answer, ',', ''))) AS differs
  FROM stated WHERE said IS NOT NULL
)
SELECT avg(differs::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (differs) AS examples
FROM judged WHERE differs IS NOT NULL
