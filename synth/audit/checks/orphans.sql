-- severity: error
-- threshold: at most 0
-- unit: records
-- meaning: Records name a parent, a problem or a call that is not in the run: what they were made from is lost.
-- fix: This is damage, not a setting: was the journal edited, or copied in part? Materialize it again: delete corpus.duckdb and
--   run the same command again.
-- skipped: the run is empty
WITH known AS (
  SELECT id FROM problems UNION ALL SELECT id FROM rationales UNION ALL SELECT id FROM nodes UNION ALL SELECT id FROM scores
  UNION ALL SELECT id FROM critiques UNION ALL SELECT id FROM pairs UNION ALL SELECT id FROM failures
  UNION ALL SELECT id FROM calls
),
orphans AS (SELECT DISTINCT l.id, l."table" FROM lineage l ANTI JOIN known k ON k.id = l.parent)
SELECT CASE WHEN (SELECT count(*) FROM problems) > 0 THEN count(*) END AS value, (SELECT count(*) FROM known) AS n,
  list(id ORDER BY id) AS examples
FROM orphans
