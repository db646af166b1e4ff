-- severity: warning
-- threshold: at least 0
-- unit: accuracy above that of guessing, at the lower end of its 95 % interval, of the weakest model
-- least: 20
-- meaning: A model is not surely better than a guess at questions with options, or with yes or no: much of what it gets right has wrong
--   steps, and training on it again makes it no better (arXiv:2410.23912), or worse.
-- fix: Take easier questions or a stronger model, look at `unparsed`, or ask more questions if the interval is wide; where a strong model
--   is worse than a guess, look at the gold answers.
-- skipped: no model's answer to a question with options, or with yes or no, was verified
WITH tried AS (
  SELECT r.model, r.problem, avg(s.value) - any_value(CASE WHEN p.answer_kind = 'boolean' THEN 0.5 ELSE 1 / len(p.choices) END) AS above
  FROM rationales r JOIN problems p ON p.id = r.problem JOIN scores s ON s.target = r.id AND s.name = 'correct' AND s.part IS NULL
  WHERE r.model IS NOT NULL AND NOT r.hinted AND s.value IS NOT NULL AND p.rubric IS NULL
    AND (p.answer_kind = 'boolean' OR (p.answer_kind = 'choice' AND len(p.choices) > 1))
  GROUP BY ALL
),
models AS (
  SELECT model, count(*) AS n, avg(above) AS above, 1.96 * coalesce(stddev_samp(above), 0) / sqrt(count(*)) AS half FROM tried GROUP BY model
)
SELECT min(above - half) AS value, arg_min(n, above - half) AS n,
  format('{}: {:+.1f} points, give or take {:.1f}', arg_min(model, above - half), 100 * arg_min(above, above - half), 100 * arg_min(half, above - half)) AS note
FROM models
