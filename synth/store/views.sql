-- Views over the record tables. `synth sql RUN --schema` shows the comment of each view and the line of each column; a column
-- without one is that of the table named after "as in".

-- Whether a reply came for a call: it used tokens and is paid for, valid or not. Errors of the connection and of the server
-- (HTTP 4xx and 5xx, also where a filter refuses the prompt) bring none, and cost nothing; of calls that were given up nobody knows.
-- The ledger counts by the same words, `got_reply` in synth/calls/ledger.py.
CREATE MACRO got_reply(status, completion_tokens, finish) AS
  status IN ('ok', 'truncated', 'thought_cut', 'only_thought', 'empty') OR completion_tokens IS NOT NULL OR finish IS NOT NULL;

-- US dollars of some calls: 0 where no reply came, the known part of it where only some prices are known, NULL where none is.
CREATE MACRO known_cost(price, status, completion_tokens, finish) AS
  CASE WHEN count(price) > 0 OR NOT coalesce(bool_or(got_reply(status, completion_tokens, finish)), false)
    THEN coalesce(sum(price), 0) END;

-- Calls whose price is not known: a reply came for them, and the model has no price or its tokens were not counted.
CREATE MACRO unpriced_calls(price, status, completion_tokens, finish) AS
  count(*) FILTER (price IS NULL AND got_reply(status, completion_tokens, finish));

-- what the pipeline is made of, in order; a table
--   position: from 1
--   name: what this use of the step is called; what the column `step` of records names
--   step: which step it is
--   options: all its options, as JSON
--   writes: whether it asks a model for rationales
--   judges: whether its replies are verdicts, each score with a call being what that reply says
-- CREATE VIEW pipeline_steps, made by database.py

-- ids of records that are not kept: a step rejected them, or they are problems derived from a rejected one. The one definition of
-- kept: neither the record nor its problem is in here (`synth.records.is_kept` says the same of a unit)
--   id: of any table
CREATE VIEW excluded AS
  WITH RECURSIVE below(id) AS (
    SELECT id FROM problems WHERE id IN (SELECT target FROM rejections) OR unit IN (SELECT target FROM rejections)
    UNION SELECT p.id FROM problems p JOIN below b ON p.parent = b.id)
  SELECT target AS id FROM rejections UNION ALL SELECT id FROM below;

-- problems that are kept: no step rejected them, nor a problem they were derived from; as in problems
CREATE VIEW kept_problems AS
  SELECT * FROM problems WHERE id NOT IN (FROM excluded);

-- rationales that are kept: no step rejected them, and their problem is kept; as in rationales
CREATE VIEW kept_rationales AS
  SELECT * FROM rationales WHERE id NOT IN (FROM excluded) AND problem NOT IN (FROM excluded);

-- critiques that are kept: no step rejected them, and their problem is kept; what they criticise is a rejected rationale; as in
-- critiques
CREATE VIEW kept_critiques AS
  SELECT * FROM critiques c WHERE id NOT IN (FROM excluded) AND unit NOT IN (FROM excluded)
    AND target NOT IN (SELECT id FROM rationales WHERE problem IN (FROM excluded));

-- pairs that are kept: no step rejected them, and their problem is kept; the losing side is often a rejected rationale; as in pairs
CREATE VIEW kept_pairs AS
  SELECT * FROM pairs WHERE id NOT IN (FROM excluded) AND problem NOT IN (FROM excluded);

-- scores as expressions see them, one row for each record (or part of one) and name: what the judges of the latest step that gave it say
--   target: id of the record
--   part: the part of it that is judged; NULL for the whole
--   name: what is measured
--   value: the mean over the judges
--   label: the word of the judges, where all say the same one
--   judges: how many there are
--   whose: the judges, by name
CREATE VIEW current_scores AS
  SELECT target, part, name, avg(value) AS value, CASE WHEN count(label) = count(*) AND min(label) = max(label) THEN min(label) END AS label,
    count(*) AS judges, list_sort(list(DISTINCT judge)) AS whose
  FROM (
    SELECT s.*, coalesce(p.position, 0) AS turn
    FROM scores s LEFT JOIN (SELECT name, max(position) AS position FROM pipeline_steps GROUP BY name) p ON p.name = s.step
    QUALIFY turn = max(turn) OVER (PARTITION BY s.target, s.part, s.name))
  GROUP BY target, part, name;

-- rationales with their question and gold answer, whether they are kept, and a column for each score and label; as in rationales
--   question: of the problem
--   gold: the gold answer of the problem; NULL where it is not known
--   kept: whether no step has put it out, nor its problem
--   rejected_by: step and rule that put it out; NULL where none has
--   score_NAME: the value of its score NAME
--   label_NAME: the label of its score NAME
-- CREATE VIEW wide_rationales, made by database.py

-- the ledger rows records and failures of today come from; calls of excluded units, or of earlier prompts, are not there; as in
-- calls
CREATE VIEW current_calls AS
  SELECT * FROM calls WHERE id IN (
    SELECT call FROM rationales UNION ALL SELECT call FROM nodes UNION ALL SELECT call FROM scores
    UNION ALL SELECT call FROM critiques UNION ALL SELECT call FROM failures
    UNION ALL SELECT meta->'counterfactual'->>'call' FROM problems WHERE parent IS NOT NULL);

-- calls that were to make a rationale, one row each, and what came of it; reviews, critiques, votes and thoughts are not among
-- them. Attempts that were repeated are the last one, so each is what one record stems from
--   call: id of the ledger row
--   step: the step that asked
--   record: the rationale it made, the first of several; else the failure
--   answered: whether a reply came, valid or not: also one that was cut off, empty, refused or not in its format
--   parsed: whether an answer could be read out of the reply, and compared where it was verified
CREATE VIEW rationale_calls AS
  WITH outcomes AS (
    SELECT call, step, id, answer IS NOT NULL AND id NOT IN (SELECT target FROM scores WHERE part IS NULL AND label = 'unparsed') AS parsed
    FROM rationales WHERE call IS NOT NULL
    UNION ALL
    SELECT call, step, id, false FROM failures WHERE call IS NOT NULL AND step IN (
      SELECT name FROM pipeline_steps WHERE writes UNION SELECT step FROM rationales WHERE call IS NOT NULL))
  SELECT o.call, any_value(o.step) AS step, min(o.id) AS record,
    bool_or(o.parsed OR coalesce(got_reply(c.status, c.completion_tokens, c.finish), true)) AS answered, bool_or(o.parsed) AS parsed
  FROM outcomes o LEFT JOIN calls c ON c.id = o.call GROUP BY o.call;

-- from problems to what is kept. Asked, answered and parsed count calls that were to make a rationale (`rationale_calls`); rationales
-- that no call of this run made (imported; by a program, a person or from a reference solution) have lines of their own, and count as
-- parsed where they have an answer
--   position: order of the stages, from 1
--   stage: what is counted
--   n: how many
CREATE VIEW funnel AS
  WITH made AS MATERIALIZED (SELECT id, coalesce(call, id) AS one, step, call, answer FROM rationales),
    kept AS MATERIALIZED (SELECT problem FROM kept_rationales),
    unread AS MATERIALIZED (SELECT target FROM scores WHERE part IS NULL AND label = 'unparsed'),
    asked AS MATERIALIZED (SELECT answered FROM rationale_calls)
  SELECT * FROM (VALUES
    (1, 'problems', (SELECT count(*) FROM problems)),
    (2, 'imported', (SELECT count(*) FROM made WHERE step = 'input')),
    (3, 'made without a call', (SELECT count(*) FROM made WHERE step <> 'input' AND call IS NULL)),
    (4, 'asked', (SELECT count(*) FROM asked)),
    (5, 'answered', (SELECT count(*) FROM asked WHERE answered)),
    (6, 'parsed', (SELECT count(DISTINCT one) FROM made WHERE answer IS NOT NULL AND id NOT IN (FROM unread))),
    (7, 'verified', (SELECT count(DISTINCT m.one) FROM scores s JOIN made m ON m.id = s.target WHERE s.part IS NULL AND s.label = 'right')),
    (8, 'kept', (SELECT count(*) FROM kept)),
    (9, 'problems with a kept rationale', (SELECT count(DISTINCT problem) FROM kept)),
    (10, 'pairs', (SELECT count(*) FROM kept_pairs))
  ) t(position, stage, n)
  WHERE CASE WHEN stage IN ('imported', 'made without a call') THEN n > 0
    WHEN stage IN ('asked', 'answered') THEN EXISTS (FROM asked) OR NOT EXISTS (FROM made WHERE call IS NULL) ELSE true END;

-- why records were rejected
--   step: name of the step that put them out
--   rule: the rule it went by
--   target_table: table of the records
--   n: how many
CREATE VIEW rejection_reasons AS
  SELECT step, rule, target_table, count(*) AS n FROM rejections GROUP BY ALL ORDER BY n DESC;

-- records that were rejected as items of a benchmark, or as like one
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

-- what each model was asked, what came of it and what it cost
--   model: name in the profile
--   model_id: the model that was asked, as its endpoint names it
--   endpoint: where it was asked
--   invented: whether it is the scripted model, which invents its texts: a rehearsal, or a test
--   attempts: calls that were sent, failed ones too
--   ok: calls whose reply was of use
--   failed: the other calls
--   prompt_tokens: tokens read, as the endpoint counts them
--   completion_tokens: tokens written
--   cost_usd: US dollars, as far as prices are known; 0 where no reply came, for that costs nothing; NULL where no price is known
--   unpriced: calls a reply came for, and whose price is not known
--   median_latency_s: seconds from sending to the end of the reply, the median; of calls a reply came for
CREATE VIEW models AS
  SELECT model, model_id, endpoint,
    starts_with(endpoint, 'scripted:') AS invented,
    count(*) AS attempts,
    count(*) FILTER (status = 'ok') AS ok,
    count(*) FILTER (status <> 'ok') AS failed,
    CASE WHEN bool_or(got_reply(status, completion_tokens, finish)) THEN sum(prompt_tokens) ELSE 0 END::BIGINT AS prompt_tokens,
    CASE WHEN bool_or(got_reply(status, completion_tokens, finish)) THEN sum(completion_tokens) ELSE 0 END::BIGINT AS completion_tokens,
    known_cost(price, status, completion_tokens, finish) AS cost_usd,
    unpriced_calls(price, status, completion_tokens, finish) AS unpriced,
    median(latency) FILTER (got_reply(status, completion_tokens, finish)) AS median_latency_s
  FROM calls GROUP BY ALL ORDER BY model, model_id;

-- of replies that have a response schema: how many were plain JSON, were repaired by a further call, or could not be read
--   model: name in the profile
--   model_id: the model that was asked, as its endpoint names it
--   step: the step that asked
--   shape: the name of the response schema
--   replies: first replies, without those to a repair request
--   plain_json: first replies that are JSON and nothing else
--   sent_back: replies to a repair request
--   unreadable: replies that were never valid, and became a failure
CREATE VIEW reply_shapes AS
  SELECT c.model, c.model_id, c.step, c.shape,
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
--   reviewer: the model that judged
--   author: the model that wrote what is judged
--   value: the score; NULL where it is not valid
--   label: the verdict as a word
--   reason: why, in words
--   call: the ledger row that made it
--   correct: 1 where the target was verified as right, 0 where it was not; NULL where it was not verified
--   verdict: what all reviews of the target came to: `accepted`, `rejected` or `too_few`
CREATE VIEW reviews AS
  SELECT s.id, regexp_replace(s.name, '_single$', '') AS review, s.step, s.target, s.judge AS reviewer,
    coalesce(r.model, q.critic) AS author, s.value, s.label, s.reason, s.call,
    (SELECT any_value(c.value) FROM scores c WHERE c.target = s.target AND c.name = 'correct') AS correct,
    (SELECT any_value(a.label) FROM scores a WHERE a.target = s.target AND a.name = regexp_replace(s.name, '_single$', '')) AS verdict
  FROM scores s LEFT JOIN rationales r ON r.id = s.target LEFT JOIN critiques q ON q.id = s.target
  WHERE s.name LIKE '%\_single' ESCAPE '\';

-- how each reviewer scores: its rater calibration beside that of the others
--   review: name of the review
--   reviewer: the model that judged
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
--   model: who wrote the rationale; NULL of a pair, as what follows
--   thought: of the rationale; a revision has the same
--   response: of the rationale
--   answer: of the rationale
--   revised: id of the rationale as edited; NULL where it was not
--   revised_response: its response
--   revised_answer: its answer
CREATE VIEW human_verdicts AS
  SELECT s.target, 'rationales' AS target_table, s.judge AS reviewer, s.label AS verdict, s.reason AS comment, r.problem, p.question,
    p.answer AS gold, r.model, r.thought, r.response, r.answer, n.id AS revised, n.response AS revised_response,
    n.answer AS revised_answer
  FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem
  LEFT JOIN rationales n ON n.parent = s.target AND n.step = 'human_review' AND n.model = s.judge
  WHERE s.name = 'human' AND r.step <> 'human_review'
  UNION ALL BY NAME
  SELECT s.target, 'pairs' AS target_table, s.judge AS reviewer, s.label AS verdict, s.reason AS comment, a.problem, p.question,
    p.answer AS gold
  FROM scores s JOIN pairs a ON a.id = s.target JOIN problems p ON p.id = a.problem WHERE s.name = 'human';
