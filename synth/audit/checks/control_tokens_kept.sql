-- severity: error
-- threshold: at most 0
-- unit: share of kept rationales
-- meaning: A kept thought or response holds tokens of a chat template (`<|im_end|>`, `</s>`, `[INST]`), or half a pair of thinking
--   tags, outside of code: a tokenizer reads them as the end of a turn or of a thought, and the row is learnt cut in two.
-- fix: Read the examples. Where a model writes marks of its own, name them in its profile, so that they are taken off when its
--   replies are read; reject the rest with a filter.
-- skipped: no rationale was kept
WITH parts AS (
  SELECT id, response AS part FROM kept_rationales UNION ALL SELECT id, thought FROM kept_rationales WHERE thought IS NOT NULL
),
suspects AS MATERIALIZED (
  -- Text with none of these holds neither. A plain search costs a tenth of a pattern.
  SELECT DISTINCT id FROM parts WHERE (contains(part, '<') OR contains(part, '[') OR contains(part, '◁'))
    AND regexp_matches(part, '(?i)<\||\|>|<｜|</?s>|_of_turn>|<[be]os>|<unused|\[/?(INST|THINK)|◁|</?(seed:|mm:|longcat_)?(think|thought|reason|reflect)')
),
-- Ids are hashes, so that the first ones are a random sample. To read a text takes a tenth of a millisecond.
sample AS MATERIALIZED (SELECT id FROM suspects ORDER BY id LIMIT 10000),
judged AS MATERIALIZED (
  SELECT id, list_concat(template_marks(thought), template_marks(response)) AS marks FROM kept_rationales JOIN sample USING (id)
),
bad AS (SELECT id, unnest(list_distinct(marks)) AS mark FROM judged)
SELECT CASE WHEN count(*) > 0
    THEN (SELECT count(*) FROM suspects) / count(*) * coalesce((SELECT avg((len(marks) > 0)::INT) FROM judged), 0) END AS value,
  count(*) AS n, (SELECT list(DISTINCT id ORDER BY id) FROM bad) AS examples,
  (SELECT format('most often {}', mark) FROM bad GROUP BY mark ORDER BY count(*) DESC, mark LIMIT 1) AS note
FROM kept_rationales
