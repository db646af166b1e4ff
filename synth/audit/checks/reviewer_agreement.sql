-- severity: warning
-- threshold: at least 0.2
-- unit: Krippendorff's alpha, interval scale, of the review that agrees least
-- least: 20
-- meaning: Reviewers hardly agree about the same records: their verdicts are closer to chance than to a judgement.
-- remedy: Make the criteria of the review plainer, take reviewers that can solve the problems, or more of them a record.
--   synth audit RUN --look shows who agrees with whom.
-- skipped: no two reviewers scored the same record, or all scores are equal
WITH given AS (
  SELECT review, target, list(value) AS values FROM reviews WHERE value IS NOT NULL GROUP BY ALL HAVING count(*) > 1
),
agreed AS (SELECT review, krippendorff_alpha(list(values)) AS alpha, count(*) AS n FROM given GROUP BY review)
SELECT min(alpha) AS value, arg_min(n, alpha) AS n, arg_min(review, alpha) AS note FROM agreed WHERE alpha IS NOT NULL
