-- severity: warning
-- threshold: at most 0
-- unit: share of kept rationales with a gold answer
-- meaning: Kept rationales end in another answer than the gold one.
-- fix: Add a filter `score.correct` after verify_answer, unless the method is to do without gold answers.
-- skipped: no kept rationale has a gold answer it was verified against
WITH judged AS (
  SELECT r.id, any_value(s.value) AS correct FROM kept_rationales r JOIN scores s ON s.target = r.id
  WHERE s.name = 'correct' AND s.part IS NULL AND s.value IS NOT NULL GROUP BY r.id
)
SELECT avg((correct < 1)::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (correct < 1) AS examples FROM judged
