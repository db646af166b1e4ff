/* Of the model's steps at the place of the edit: how often they are as in the problem, where that must be so and where it must not. */
SELECT p.meta->>'twin' AS twin, count(*) AS compared, avg((a.steps[place] = b.steps[place])::INT) AS as_in_the_problem,
  avg((a.steps[place] = t.steps[place])::INT) AS right_of_the_problem, avg((b.steps[place] = u.steps[place])::INT) AS right_of_the_twin
FROM (SELECT *, (meta->>'twin_at')::INT + 1 AS place FROM problems WHERE meta->>'twin_at' IS NOT NULL) p
JOIN rationales a ON a.problem = p.parent AND a.step = 'solve' JOIN rationales t ON t.problem = p.parent AND t.step = 'truth'
JOIN rationales b ON b.problem = p.id AND b.step = 'solve_twins' JOIN rationales u ON u.problem = p.id AND u.step = 'twins'
GROUP BY 1 ORDER BY 1
