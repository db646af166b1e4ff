/* How often each way to pick one of n samples picks a right one: the exact expectation over all subsets of n. Answers that differ in
   writing alone count as different; weighted votes of many samples have a value for n = 1 and n = k. */
WITH samples AS (
  SELECT r.problem, list(c.value > 0.5 ORDER BY r.id) AS outcomes, list(r.answer ORDER BY r.id) AS answers, list(s.value ORDER BY r.id) AS rewards
  FROM rationales r
  JOIN scores c ON c.target = r.id AND c.name = 'correct'
  LEFT JOIN scores s ON s.target = r.id AND s.name = 'reward'
  GROUP BY 1
)
SELECT n, avg(pass_at_n(outcomes, 1)) AS chance, avg(vote_of_n(answers, NULL, outcomes, n)) AS majority,
  avg(best_of_n(rewards, outcomes, n)) AS best, avg(vote_of_n(answers, rewards, outcomes, n)) AS weighted,
  avg(pass_at_n(outcomes, n)) AS oracle, count(*) AS problems
FROM samples, (VALUES (1), (2), (4), (8)) AS sizes(n)
WHERE len(outcomes) >= n
GROUP BY n ORDER BY n
