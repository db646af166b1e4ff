-- severity: error
-- threshold: at most 0.1
-- unit: mentions of its own gold answer in a prompt beyond those of another problem's; 10,000 problems at random where there are more
-- least: 10
-- meaning: Prompts of kept rationales name the gold answer outside the question and its passage, though these are not marked as hinted:
--   they explain an answer they were given, and teach nothing about finding it.
-- fix: Read one: synth calls RUN CALL. Look for the answer in the prompt template and in the worked examples; set
--   `hint` on the step where showing it is the method.
-- skipped: no kept rationale was asked for with a gold answer at hand and without seeing it
WITH asked AS (
  SELECT r.id, r.problem, p.answer, p.answer_kind AS kind, replace(replace(array_to_string(json_extract_string(c.messages, '$[*].content'), chr(10)),
    p.question, ' '), coalesce(p.context, ''), ' ') AS rest
  FROM kept_rationales r JOIN problems p ON p.id = r.problem JOIN calls c ON c.id = r.call
  WHERE r.problem IN (SELECT problem FROM kept_rationales GROUP BY problem ORDER BY problem LIMIT 10000)
    AND NOT r.hinted AND r.parent IS NULL AND p.answer <> '' AND p.rubric IS NULL
    AND contains(array_to_string(json_extract_string(c.messages, '$[*].content'), chr(10)), p.question)
),
golds AS (SELECT problem, any_value(answer) AS answer, any_value(kind) AS kind FROM asked GROUP BY problem),
-- Where the prompt says the same to all, the mentions of one's own answer and of the next one's are equal in sum. Letters of options,
-- which every prompt with options has, are compared with letters.
others AS (
  SELECT problem, coalesce(lead(answer) OVER of_kind, first(answer) OVER of_kind) AS other FROM golds
  WINDOW of_kind AS (PARTITION BY kind = 'choice' ORDER BY problem)
),
counted AS (
  SELECT id, problem, least(3, len(regexp_extract_all(rest, '(^|[^\w.])' || regexp_escape(answer) || '($|[^\w])'))) AS own,
    least(3, len(regexp_extract_all(rest, '(^|[^\w.])' || regexp_escape(other) || '($|[^\w])'))) AS others
  FROM asked JOIN others USING (problem)
)
SELECT avg(more) AS value, count(*) AS n, flatten(list(leaking ORDER BY problem) FILTER (len(leaking) > 0)) AS examples
FROM (SELECT problem, avg(own - others) AS more, list(id ORDER BY id) FILTER (own > others) AS leaking FROM counted GROUP BY problem)
