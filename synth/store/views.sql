-- Views over the record tables. `synth sql RUN --schema` shows the comment of each view and the line of each column; a column
-- without one is that of the table named after "as in".

-- what the pipeline is made of, in order; a table
--   position: from 1
--   name: what this use of the step is called; what the column `step` of records names
--   step: which step it is
--   options: all its options, as JSON
-- CREATE VIEW pipeline_steps, made by database.py

-- records no step has put out, of problems that are in; as in problems
CREATE VIEW kept_problems AS
  SELECT * FROM problems WHERE id NOT IN (SELECT target FROM rejections);

-- rationales no step has put out, of problems that are in; as in rationales
CREATE VIEW kept_rationales AS
  SELECT * FROM rationales
  WHERE id NOT IN (SELECT target FROM rejections)
    AND problem NOT IN (SELECT target FROM rejections) AND unit NOT IN (SELECT target FROM rejections);

-- critiques no step has put out, of problems that are in; what they criticise is a rejected rationale; as in critiques
CREATE VIEW kept_critiques AS
  SELECT * FROM critiques
  WHERE id NOT IN (SELECT target FROM rejections) AND unit NOT IN (SELECT target FROM rejections);

-- pairs no step has put out, of problems that are in; the losing side is often a rejected rationale; as in pairs
CREATE VIEW kept_pairs AS
  SELECT * FROM pairs
  WHERE id NOT IN (SELECT target FROM rejections)
    AND problem NOT IN (SELECT target FROM rejections) AND unit NOT IN (SELECT target FROM rejections);

-- rationales with their question and gold answer, whether they are kept, and a column for each score and label; as in rationales
--   question: of the problem
--   gold: the gold answer of the problem; NULL where it is not known
--   kept: whether no step has put it out, nor its problem
--   rejected_by: step and rule that put it out; NULL where none has
--   score_NAME: the value of its score NAME
--   label_NAME: the label of its score NAME
-- CREATE VIEW wide_rationales, made by database.py

-- the ledger rows records and failures of today come from; calls of units put aside, or of earlier prompts, are not there; as in
-- calls
CREATE VIEW current_calls AS
  SELECT * FROM calls WHERE id IN (
    SELECT call FROM rationales UNION ALL SELECT call FROM nodes UNION ALL SELECT call FROM scores
    UNION ALL SELECT call FROM critiques UNION ALL SELECT call FROM failures);

-- how much of what was asked was kept
--   position: order of the stages, from 1
--   stage: what is counted
--   n: how many
CREATE VIEW funnel AS
  WITH made AS MATERIALIZED (SELECT id, coalesce(call, id) AS one, answer FROM rationales WHERE call IS NOT NULL OR step = 'input'),
    kept AS MATERIALIZED (SELECT problem FROM kept_rationales WHERE call IS NOT NULL OR step = 'input'),
    called AS MATERIALIZED (SELECT bool_or(status = 'ok') AS ok FROM current_calls GROUP BY key)
  SELECT * FROM (VALUES
    (1, 'problems', (SELECT count(*) FROM problems)),
    (2, 'imported', (SELECT count(*) FROM rationales WHERE step = 'input')),
    (3, 'asked', (SELECT count(*) FROM called)),
    (4, 'answered', (SELECT count(*) FROM called WHERE ok)),
    (5, 'parsed', (SELECT count(DISTINCT one) FROM made WHERE answer IS NOT NULL)),
    (6, 'verified', (SELECT count(DISTINCT m.one) FROM scores s JOIN made m ON m.id = s.target WHERE s.label = 'right')),
    (7, 'kept', (SELECT count(*) FROM kept)),
    (8, 'problems with a kept rationale', (SELECT count(DISTINCT problem) FROM kept)),
    (9, 'pairs', (SELECT count(*) FROM kept_pairs))
  ) t(position, stage, n)
  WHERE CASE stage WHEN 'imported' THEN n > 0
    WHEN 'asked' THEN n > 0 OR NOT EXISTS (FROM rationales WHERE step = 'input')
    WHEN 'answered' THEN EXISTS (FROM calls) OR NOT EXISTS (FROM rationales WHERE step = 'input') ELSE true END;

-- why records are out
--   step: name of the step that put them out
--   rule: the rule it went by
--   target_table: table of the records
--   n: how many
CREATE VIEW rejection_reasons AS
  SELECT step, rule, target_table, count(*) AS n FROM rejections GROUP BY ALL ORDER BY n DESC;

-- records that were put out as items of a benchmark, or like one
--   record: id of the record
--   record_table: its table
--   step: name of the step that put it out
--   rule: the rule it went by
--   benchmark: file of the item it is most like
--   item_row: row of the item in that file, from 1
--   share: how much they have in common: a share of runs of words, a cosine, or what a judge said
--   words: the longest run of words both have; of an item rephrased, all its words that the record has
--   item: the item, cut off at 500 characters; where a judge gave a reason, also that
CREATE VIEW contamination AS
  SELECT target AS record, target_table AS record_table, step, rule, observed->>'benchmark' AS benchmark,
    (observed->>'row')::BIGINT AS item_row, (observed->>'share')::DOUBLE AS share, observed->>'words' AS words,
    observed->>'item' AS item
  FROM rejections WHERE observed->>'benchmark' IS NOT NULL AND observed->>'row' IS NOT NULL
  UNION ALL
  SELECT j.target, j.target_table, j.step, j.rule, regexp_extract(s.label, '^(.*):[0-9]+$', 1),
    regexp_extract(s.label, ':([0-9]+)$', 1)::BIGINT, s.value, regexp_extract(s.reason, '; both say ''([^'']*)''; ', 1),
    regexp_extract(s.reason, '; the item: (.*)$', 1, 's')
  FROM rejections j JOIN scores s ON s.target = j.target AND s.name = 'contamination'
  WHERE regexp_matches(s.label, ':[0-9]+$') AND json_exists(j.observed, '$."score.contamination"');

-- what each teacher was asked, what came of it and what it cost
--   teacher: name in the profile
--   model: the model that was asked
--   endpoint: where it was asked
--   attempts: calls that reached the wire, failed ones too
--   ok: calls that were answered
--   failed: calls that were not
--   prompt_tokens: tokens read, as the endpoint counts them
--   completion_tokens: tokens written
--   cost_usd: US dollars; NULL where no price is known
--   unpriced: calls that were answered, and whose price is not known
--   median_latency_s: seconds from sending to the end of the reply, the median
CREATE VIEW teachers AS
  SELECT teacher, model, endpoint,
    count(*) AS attempts,
    count(*) FILTER (status = 'ok') AS ok,
    count(*) FILTER (status <> 'ok') AS failed,
    sum(prompt_tokens)::BIGINT AS prompt_tokens,
    sum(completion_tokens)::BIGINT AS completion_tokens,
    sum(price) AS cost_usd,
    count(*) FILTER (price IS NULL AND status IN ('ok', 'truncated', 'empty', 'refused')) AS unpriced,
    median(latency) AS median_latency_s
  FROM calls GROUP BY ALL ORDER BY teacher, model;

-- of replies that were to have a shape: how many were plain JSON, were mended by a further call, or could not be read
--   teacher: name in the profile
--   model: the model that was asked
--   step: the step that asked
--   shape: the shape the reply was to have
--   replies: first replies, those that ask to mend one left out
--   plain_json: first replies that are JSON and nothing else
--   sent_back: replies to a request to mend one
--   unreadable: replies that never had the shape, and became a failure
CREATE VIEW reply_shapes AS
  SELECT c.teacher, c.model, c.step, c.shape,
    count(*) FILTER (c.repairs IS NULL) AS replies,
    count(*) FILTER (c.repairs IS NULL AND json_valid(c.reply)) AS plain_json,
    count(*) FILTER (c.repairs IS NOT NULL) AS sent_back,
    count(f.id) AS unreadable
  FROM calls c LEFT JOIN failures f ON f.call = c.id AND f.cause = 'shape'
  WHERE c.shape IS NOT NULL AND c.status = 'ok' GROUP BY ALL ORDER BY ALL;

-- peer reviews one by one: who judged what by whom, with what was known of it otherwise
--   id: of the score
--   review: name of the review, of the score its reviews come to
--   step: name of the step that asked
--   target: id of the rationale or critique that is judged
--   reviewer: the teacher that judged
--   author: the teacher that wrote what is judged
--   value: the score; NULL where it is not valid
--   label: the verdict as a word
--   reason: why, in words
--   call: the ledger row that made it
--   correct: 1 where the target was verified as right, 0 where it was not; NULL where it was not verified
--   verdict: what all reviews of the target came to: `accepted`, `rejected` or `too_few`
CREATE VIEW reviews AS
  SELECT s.id, regexp_replace(s.name, '_single$', '') AS review, s.step, s.target, s.judge AS reviewer,
    coalesce(r.teacher, q.critic) AS author, s.value, s.label, s.reason, s.call,
    (SELECT any_value(c.value) FROM scores c WHERE c.target = s.target AND c.name = 'correct') AS correct,
    (SELECT any_value(a.label) FROM scores a WHERE a.target = s.target AND a.name = regexp_replace(s.name, '_single$', '')) AS verdict
  FROM scores s LEFT JOIN rationales r ON r.id = s.target LEFT JOIN critiques q ON q.id = s.target
  WHERE s.name LIKE '%\_single' ESCAPE '\';

-- how each reviewer scores: its leniency beside that of the others
--   review: name of the review
--   reviewer: the teacher that judged
--   reviews: how many it gave
--   valid: how many of these have a score
--   mean: of its scores
--   std: their standard deviation (of all, not of a sample)
--   mean_of_right: mean score of what was verified as right
--   mean_of_wrong: mean score of what was verified as wrong
CREATE VIEW reviewers AS
  SELECT review, reviewer, count(*) AS reviews, count(value) AS valid, avg(value) AS mean, stddev_pop(value) AS std,
    avg(value) FILTER (correct = 1) AS mean_of_right, avg(value) FILTER (correct = 0) AS mean_of_wrong
  FROM reviews GROUP BY ALL ORDER BY review, mean DESC;

-- one row a parent: what each record was made from
--   id: of the record
--   table: of the record
--   parent: id of what it was made from, or speaks of
--   parent_table: table of the parent; NULL where it may be in several
CREATE VIEW lineage AS
  SELECT id, 'rationales' AS "table", problem AS parent, 'problems' AS parent_table FROM rationales
  UNION ALL SELECT id, 'rationales', parent, 'rationales' FROM rationales WHERE parent IS NOT NULL
  UNION ALL SELECT id, 'rationales', node, 'nodes' FROM rationales WHERE node IS NOT NULL
  UNION ALL SELECT id, 'rationales', call, 'calls' FROM rationales WHERE call IS NOT NULL
  UNION ALL SELECT id, 'problems', parent, 'problems' FROM problems WHERE parent IS NOT NULL
  UNION ALL SELECT id, 'nodes', problem, 'problems' FROM nodes
  UNION ALL SELECT id, 'nodes', parent, 'nodes' FROM nodes WHERE parent IS NOT NULL
  UNION ALL SELECT id, 'nodes', call, 'calls' FROM nodes WHERE call IS NOT NULL
  UNION ALL SELECT id, 'scores', target, NULL FROM scores
  UNION ALL SELECT id, 'scores', call, 'calls' FROM scores WHERE call IS NOT NULL
  UNION ALL SELECT id, 'critiques', target, 'rationales' FROM critiques
  UNION ALL SELECT id, 'critiques', call, 'calls' FROM critiques WHERE call IS NOT NULL
  UNION ALL SELECT id, 'pairs', problem, 'problems' FROM pairs
  UNION ALL SELECT id, 'pairs', chosen, 'rationales' FROM pairs
  UNION ALL SELECT id, 'pairs', rejected, 'rationales' FROM pairs
  UNION ALL SELECT id, 'rejections', target, target_table FROM rejections
  UNION ALL SELECT id, 'failures', target, NULL FROM failures
  UNION ALL SELECT id, 'failures', call, 'calls' FROM failures WHERE call IS NOT NULL;


-- what people said of rationales and pairs in `synth view`, as it stands: one row a person and record
--   target: id of the rationale or pair
--   target_table: `rationales` or `pairs`
--   reviewer: who said it, as `human:NAME`
--   verdict: `accepted`, `rejected`, `revised` or `commented`; of a pair `reversed` where its rejected side was found better
--   comment: what was remarked; NULL where nothing was
--   problem: id of the problem
--   question: of the problem
--   gold: the gold answer of the problem; NULL where it is not known
--   teacher: who wrote the rationale; NULL of a pair, as what follows
--   text: of the rationale
--   answer: of the rationale
--   revised: id of the rationale as edited; NULL where it was not
--   revised_text: its text
--   revised_answer: its answer
CREATE VIEW human_verdicts AS
  SELECT s.target, 'rationales' AS target_table, s.judge AS reviewer, s.label AS verdict, s.reason AS comment, r.problem, p.question,
    p.answer AS gold, r.teacher, r.text, r.answer, n.id AS revised, n.text AS revised_text, n.answer AS revised_answer
  FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem
  LEFT JOIN rationales n ON n.parent = s.target AND n.step = 'human_review' AND n.teacher = s.judge
  WHERE s.name = 'human' AND r.step <> 'human_review'
  UNION ALL BY NAME
  SELECT s.target, 'pairs' AS target_table, s.judge AS reviewer, s.label AS verdict, s.reason AS comment, a.problem, p.question,
    p.answer AS gold
  FROM scores s JOIN pairs a ON a.id = s.target JOIN problems p ON p.id = a.problem WHERE s.name = 'human';
