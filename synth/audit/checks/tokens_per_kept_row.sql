-- severity: warning
-- threshold: at most 100000
-- unit: tokens read and written for a kept rationale
-- meaning: What was kept took many tokens.
-- fix: synth calls RUN --by step shows which step takes them; fewer samples, a cheaper test before a dear one, shorter prompts.
-- skipped: nothing was kept, or the endpoints do not count tokens
SELECT sum(prompt_tokens + completion_tokens) / nullif((SELECT count(*) FROM kept_rationales), 0) AS value,
  (SELECT count(*) FROM kept_rationales) AS n
FROM calls
