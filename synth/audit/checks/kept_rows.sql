-- severity: error
-- threshold: at least 1
-- unit: rationales, pairs, critiques and derived problems that were kept
-- meaning: Nothing was kept: there is nothing to train on.
-- fix: synth status RUN shows which rule put the records out.
-- skipped: the run is empty
SELECT CASE WHEN (SELECT count(*) FROM problems) > 0 THEN (SELECT count(*) FROM kept_rationales) + (SELECT count(*) FROM kept_pairs)
  + (SELECT count(*) FROM kept_critiques) + (SELECT count(*) FROM kept_problems WHERE parent IS NOT NULL) END AS value,
  (SELECT count(*) FROM problems) AS n
