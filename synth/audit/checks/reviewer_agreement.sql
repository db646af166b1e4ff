-- severity: warning
-- threshold: at least 0.2
-- unit: Krippendorff's alpha, interval scale, of the review that agrees least
-- least: 20
-- meaning: Reviewers hardly agree about the same records: their verdicts are closer to chance than to a judgement.
-- fix: Make the criteria of the review plainer, take reviewers that can solve the problems, or more of them a record.
--   synth audit RUN --look shows who agrees with whom.
-- skipped: no two reviewers scored the same record, or all scores are equal
WITH given AS (
  SELECT name, target, list_sort(list(value)) AS values FROM scores
  WHERE name LIKE '%\_single' ESCAPE '\' AND value IS NOT NULL GROUP BY ALL HAVING count(*) > 1
),
counted AS (SELECT name, values, count(*) AS many FROM given GROUP BY ALL),
agreed AS MATERIALIZED (
  SELECT regexp_replace(name, '_single$', '') AS review, krippendorff_alpha(list(values ORDER BY values), list(many ORDER BY values)) AS alpha,
    sum(many)::BIGINT AS n FROM counted GROUP BY name
)
SELECT min(alpha) AS value, arg_min(n, alpha) AS n, arg_min(review, alpha) AS note FROM agreed WHERE alpha IS NOT NULL
