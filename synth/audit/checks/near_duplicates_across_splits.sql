-- severity: error
-- threshold: at most 0
-- unit: share of problems in a split
-- meaning: Problems have a near-duplicate (Jaccard similarity of at least 0.8, shingles of 3 words) in another split: what is
--   measured on that split is remembered, not understood.
-- fix: Give the corpus step `split` a threshold of 0.7, which keeps near-duplicates together.
-- skipped: the problems are in no splits
WITH placed AS (
  SELECT p.id, any_value(s.label) AS split, any_value(concat_ws(' ', p.context, p.question, array_to_string(p.choices, ' '))) AS text
  FROM kept_problems p JOIN scores s ON s.target = p.unit AND s.name = 'split' AND s.label IS NOT NULL GROUP BY p.id
),
whole AS (SELECT list(id ORDER BY id) AS ids, list(split ORDER BY id) AS splits, list(text ORDER BY id) AS texts FROM placed),
pairs AS (SELECT ids, splits, unnest(near_duplicates(texts, 0.8)) AS pair FROM whole),
torn AS (
  SELECT DISTINCT unnest([ids[pair.first], ids[pair.second]]) AS id FROM pairs WHERE splits[pair.first] <> splits[pair.second]
)
SELECT CASE WHEN count(*) > 0 THEN (SELECT count(*) FROM torn) / count(*) END AS value, count(*) AS n,
  (SELECT list(id ORDER BY id) FROM torn) AS examples
FROM placed
