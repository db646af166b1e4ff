-- severity: warning
-- threshold: at most 0.1
-- unit: share of kept rationales
-- least: 10
-- meaning: The reasoning comes to another answer than the record states, and its last line does not name the one it states.
-- remedy: Read some. A teacher that argues for one answer and gives another is guessing: filter with a review, or take
--   another teacher. Where the answer was read wrongly, the format of the reply is at fault.
-- skipped: no kept rationale comes to a number, a choice or yes or no
WITH stated AS (
  SELECT r.id, r.answer, p.answer_kind AS kind, p.choices, stated_answer(r.text, p.answer_kind, p.choices) AS said,
    regexp_extract(rtrim(r.text), '[^\n]*$') AS last_line
  FROM kept_rationales r JOIN problems p ON p.id = r.problem
  WHERE p.answer_kind IN ('number', 'choice', 'boolean') AND p.rubric IS NULL AND r.answer IS NOT NULL AND r.style <> 'options'
),
judged AS (
  SELECT id, NOT same_answer(said, answer, kind, choices)
    AND NOT (kind = 'number' AND contains(replace(last_line, ',', ''), replace(answer, ',', ''))) AS differs
  FROM stated WHERE said IS NOT NULL
)
SELECT avg(differs::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (differs) AS examples
FROM judged WHERE differs IS NOT NULL
