-- severity: error
-- threshold: at most 0.1
-- unit: share of kept rationales
-- least: 10
-- meaning: Kept rationales state an answer and nothing else, and have no thought: a model learns to answer without reasoning.
-- fix: Read some raw replies: synth calls RUN CALL. Ask for the steps in the prompt, take a model that shows its reasoning, or
--   filter by `rationale.reasoning`. Where rows are to hold the answer alone, use the corpus step `cot_share`.
-- skipped: no rationale was kept
WITH judged AS (
  -- The column `reasoning` is empty for the same rows, but takes twenty times as long where thoughts are long.
  SELECT id, NOT (regexp_matches(coalesce(thought, ''), '[^ \t\n\r\f\v]')
    OR regexp_matches(left(response, coalesce(answer_span[1], length(response))), '[^ \t\n\r\f\v]')
    OR regexp_matches(coalesce(substr(response, answer_span[2] + 1), ''), '[^ \t\n\r\f\v]')) AS bare
  FROM kept_rationales
)
SELECT avg(bare::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (bare) AS examples FROM judged
