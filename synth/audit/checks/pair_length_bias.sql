-- severity: warning
-- threshold: at most 0.75
-- unit: share of kept pairs in which the same side is the longer one
-- least: 20
-- meaning: The chosen side is nearly always the longer one, or nearly always the shorter: length is what is learnt.
-- fix: Match lengths: `match: length` on the step pair; or cap the longer kind.
-- skipped: no pair of different lengths was kept
SELECT greatest(avg((length_difference > 0)::INT), avg((length_difference < 0)::INT)) AS value, count(*) AS n,
  format('the chosen side is longer in {:.0f} %', 100 * avg((length_difference > 0)::INT)) AS note
FROM kept_pairs WHERE length_difference <> 0
