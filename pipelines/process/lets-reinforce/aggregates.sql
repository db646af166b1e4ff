/* How well each aggregate tells right answers from wrong ones (1: always, 0.5: by chance), and how far it goes with the number of steps.
   Rounded: 0.9 + 0.9 + 0.1 and 0.9 + 0.1 + 0.9 are to be a tie. */
SELECT s.name AS aggregate, area_under_curve(list(round(s.value, 9)), list(c.value > 0.5), NULL) AS auroc, corr(s.value, len(r.steps)) AS with_length,
  count(*) AS solutions
FROM rationales r
JOIN scores s ON s.target = r.id AND s.name LIKE 'by\_%' ESCAPE '\' AND s.value IS NOT NULL
JOIN scores c ON c.target = r.id AND c.name = 'correct'
GROUP BY 1 ORDER BY auroc DESC, aggregate
