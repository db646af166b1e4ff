-- severity: warning
-- threshold: at most 0.2
-- unit: share of replies that were to hold an answer
-- least: 10
-- meaning: No answer could be read out of replies: they were paid for and cannot be judged.
-- remedy: Read some raw replies: synth calls RUN CALL. Ask for another format, allow more tokens, or take a teacher that
--   keeps to the format.
-- skipped: no teacher wrote a rationale
WITH read AS (
  SELECT r.id, r.answer IS NULL OR coalesce((SELECT any_value(s.label) FROM scores s WHERE s.target = r.id AND s.name = 'correct'), '') = 'unparsed' AS unparsed
  FROM rationales r WHERE r.call IS NOT NULL
  UNION ALL
  SELECT id, true FROM failures WHERE cause IN ('shape', 'malformed', 'empty') AND call IS NOT NULL
)
SELECT avg(unparsed::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (unparsed) AS examples FROM read
