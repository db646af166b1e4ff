-- severity: warning
-- threshold: at most 0.25
-- unit: US dollars for a kept rationale
-- meaning: What was kept is expensive.
-- fix: synth calls RUN --by step shows where the money goes, synth status RUN what is thrown away and why. Where this is the
--   price of the method, say so: --set cost_per_kept_row=VALUE.
-- skipped: nothing was kept, or no price is known (give the models a price)
SELECT CASE WHEN count(price) > 0 THEN sum(price) / nullif((SELECT count(*) FROM kept_rationales), 0) END AS value,
  (SELECT count(*) FROM kept_rationales) AS n,
  CASE WHEN count(*) > count(price) THEN format('{} of {} calls have no price: the least it can be', count(*) - count(price), count(*)) END AS note
FROM calls WHERE got_reply(status, completion_tokens, finish)
