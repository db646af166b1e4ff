-- severity: warning
-- threshold: at least 0.7
-- unit: entropy of the gold answers of kept rationales as a share of the greatest there can be
-- least: 20
-- meaning: One option is the answer far more often than the others: a model learns to give it.
-- fix: Balance the problems, or cap each answer with the corpus step `limit_per_group`; where the input is balanced and what was kept is
--   not, the model favours an option.
-- skipped: no kept rationale answers a question with options, or with yes or no
WITH counted AS (
  SELECT p.answer, count(*) AS n FROM kept_rationales r JOIN problems p ON p.id = r.problem
  WHERE p.answer_kind IN ('choice', 'boolean') AND p.answer IS NOT NULL AND p.rubric IS NULL GROUP BY 1
),
classes AS (
  SELECT max(CASE WHEN answer_kind = 'boolean' THEN 2 ELSE len(choices) END) AS k FROM problems
  WHERE answer_kind IN ('choice', 'boolean') AND rubric IS NULL
)
SELECT CASE WHEN k > 1 THEN entropy / log2(k) END AS value, whole AS n, worst AS note
FROM (SELECT -sum(share * log2(share)) AS entropy, any_value(total) AS whole,
    format('{} is the answer of {:.0f} %', arg_max(answer, share), 100 * max(share)) AS worst
  FROM (SELECT answer, n / sum(n) OVER () AS share, (sum(n) OVER ())::BIGINT AS total FROM counted)), classes
