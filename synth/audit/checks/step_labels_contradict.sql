-- severity: warning
-- threshold: at most 0.1
-- unit: share of rationales whose steps are labelled
-- least: 10
-- meaning: Every step is labelled right and the answer is wrong, or the last step is labelled wrong and the answer is right: the
--   labels cannot be believed, or the steps are not what was labelled.
-- fix: Read the examples: is the text cut into the steps that were judged? Take a judge that can solve the problems.
-- skipped: no rationale has both labelled steps and a verified answer
WITH labelled AS (
  SELECT s.target AS id, bool_and(s.value > 0) AS all_right, arg_max(s.value, s.part.index) <= 0 AND max(s.part.index) = any_value(len(r.steps)) - 1 AS last_wrong,
    count(*) >= any_value(len(r.steps)) AS whole
  FROM scores s JOIN rationales r ON r.id = s.target
  WHERE s.part.kind = 'step' AND s.value IN (0, 1, -1) GROUP BY s.target, s.name
),
judged AS (
  SELECT l.id, (l.all_right AND l.whole AND c.value = 0) OR (l.last_wrong AND c.value = 1) AS contradicts
  FROM labelled l JOIN scores c ON c.target = l.id AND c.name = 'correct' AND c.part IS NULL
)
SELECT avg(contradicts::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (contradicts) AS examples FROM judged
