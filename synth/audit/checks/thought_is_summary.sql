-- severity: warning
-- threshold: at most 0
-- unit: share of kept rationales of models that reasoned
-- meaning: Summaries are trained as thoughts: the provider showed a summary of what the model reasoned, or nothing of it. A
--   model that learns from it imitates the summary, or the answer without the reasoning that led to it.
-- fix: Take a model that shows its reasoning. Where a summary will do, say so: --set thought_is_summary=1; a filter
--   `rationale.thought_kind == "raw"` keeps the others.
-- skipped: no model of a kept rationale is known to have reasoned
SELECT avg((thought_kind <> 'raw')::INT) AS value, count(*) AS n, list(id ORDER BY id) FILTER (thought_kind <> 'raw') AS examples,
  format('{} summaries, {} hidden', count(*) FILTER (thought_kind = 'summary'), count(*) FILTER (thought_kind = 'hidden')) AS note
FROM kept_rationales WHERE thought_kind IS NOT NULL
