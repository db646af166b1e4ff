-- severity: warning
-- threshold: at most 0.2
-- unit: share of replies that were to hold an answer
-- least: 10
-- meaning: No answer could be read out of replies: they were paid for and cannot be judged.
-- fix: Read some raw replies: synth calls RUN CALL. Ask for another format, allow more tokens, or take a model that
--   keeps to the format.
-- skipped: no model wrote a rationale
SELECT avg((NOT parsed)::INT) AS value, count(*) AS n, list(record ORDER BY record) FILTER (NOT parsed) AS examples
FROM rationale_calls WHERE answered
