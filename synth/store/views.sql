-- Views over the record tables. Each comment is shown by `synth sql RUN --schema`.

-- records no step has put out, of problems that are in
CREATE VIEW kept_problems AS
  SELECT * FROM problems WHERE id NOT IN (SELECT target FROM rejections);

-- rationales no step has put out, of problems that are in
CREATE VIEW kept_rationales AS
  SELECT * FROM rationales
  WHERE id NOT IN (SELECT target FROM rejections)
    AND problem NOT IN (SELECT target FROM rejections) AND unit NOT IN (SELECT target FROM rejections);

-- critiques no step has put out, of problems that are in; what they criticise is a rejected rationale
CREATE VIEW kept_critiques AS
  SELECT * FROM critiques
  WHERE id NOT IN (SELECT target FROM rejections) AND unit NOT IN (SELECT target FROM rejections);

-- pairs no step has put out, of problems that are in; the losing side is often a rejected rationale
CREATE VIEW kept_pairs AS
  SELECT * FROM pairs
  WHERE id NOT IN (SELECT target FROM rejections)
    AND problem NOT IN (SELECT target FROM rejections) AND unit NOT IN (SELECT target FROM rejections);

-- the ledger rows records and failures of today come from; calls of units put aside, or of earlier prompts, are not there
CREATE VIEW current_calls AS
  SELECT * FROM calls WHERE id IN (
    SELECT call FROM rationales UNION SELECT call FROM nodes UNION SELECT call FROM scores
    UNION SELECT call FROM critiques UNION SELECT call FROM failures);

-- how much of what was asked was kept
CREATE VIEW funnel AS
  SELECT * FROM (VALUES
    (1, 'problems', (SELECT count(*) FROM problems)),
    (2, 'asked', (SELECT count(DISTINCT key) FROM current_calls)),
    (3, 'answered', (SELECT count(DISTINCT key) FROM current_calls WHERE status = 'ok')),
    (4, 'parsed', (SELECT count(DISTINCT call) FROM rationales WHERE answer IS NOT NULL)),
    (5, 'verified', (SELECT count(DISTINCT r.call) FROM scores s JOIN rationales r ON r.id = s.target WHERE s.label = 'right')),
    (6, 'kept', (SELECT count(*) FROM kept_rationales WHERE call IS NOT NULL)),
    (7, 'problems with a kept rationale', (SELECT count(DISTINCT problem) FROM kept_rationales WHERE call IS NOT NULL)),
    (8, 'pairs', (SELECT count(*) FROM kept_pairs))
  ) t(position, stage, n);

-- why records are out: how many by step and rule
CREATE VIEW rejection_reasons AS
  SELECT step, rule, target_table, count(*) AS n FROM rejections GROUP BY ALL ORDER BY n DESC;

-- what each teacher was asked, what came of it and what it cost
CREATE VIEW teachers AS
  SELECT teacher, model, endpoint,
    count(*) AS attempts,
    count(*) FILTER (status = 'ok') AS ok,
    count(*) FILTER (status <> 'ok') AS failed,
    sum(prompt_tokens)::BIGINT AS prompt_tokens,
    sum(completion_tokens)::BIGINT AS completion_tokens,
    sum(price) AS cost_usd,
    count(*) FILTER (price IS NULL) AS unpriced,
    median(latency) AS median_latency_s
  FROM calls GROUP BY ALL ORDER BY teacher, model;

-- of replies that were to have a shape: how many were plain JSON, were mended by a further call, or could not be read
CREATE VIEW reply_shapes AS
  SELECT c.teacher, c.model, c.step, c.shape,
    count(*) FILTER (c.repairs IS NULL) AS replies,
    count(*) FILTER (c.repairs IS NULL AND json_valid(c.reply)) AS plain_json,
    count(*) FILTER (c.repairs IS NOT NULL) AS sent_back,
    count(f.id) AS unreadable
  FROM calls c LEFT JOIN failures f ON f.call = c.id AND f.cause = 'shape'
  WHERE c.shape IS NOT NULL AND c.status = 'ok' GROUP BY ALL ORDER BY ALL;

-- peer reviews one by one: who judged what by whom, with what was known of it otherwise; a score that is not valid is NULL
CREATE VIEW reviews AS
  SELECT s.id, regexp_replace(s.name, '_single$', '') AS review, s.step, s.target, s.judge AS reviewer,
    coalesce(r.teacher, q.critic) AS author, s.value, s.label, s.reason, s.call,
    (SELECT any_value(c.value) FROM scores c WHERE c.target = s.target AND c.name = 'correct') AS correct,
    (SELECT any_value(a.label) FROM scores a WHERE a.target = s.target AND a.name = regexp_replace(s.name, '_single$', '')) AS verdict
  FROM scores s LEFT JOIN rationales r ON r.id = s.target LEFT JOIN critiques q ON q.id = s.target
  WHERE s.name LIKE '%\_single' ESCAPE '\';

-- how each reviewer scores: its leniency beside that of the others
CREATE VIEW reviewers AS
  SELECT review, reviewer, count(*) AS reviews, count(value) AS valid, avg(value) AS mean, stddev_pop(value) AS std,
    avg(value) FILTER (correct = 1) AS mean_of_right, avg(value) FILTER (correct = 0) AS mean_of_wrong
  FROM reviews GROUP BY ALL ORDER BY review, mean DESC;

-- one row a parent: what each record was made from
CREATE VIEW lineage AS
  SELECT id, 'rationales' AS "table", problem AS parent, 'problems' AS parent_table FROM rationales
  UNION ALL SELECT id, 'rationales', parent, 'rationales' FROM rationales WHERE parent IS NOT NULL
  UNION ALL SELECT id, 'rationales', call, 'calls' FROM rationales WHERE call IS NOT NULL
  UNION ALL SELECT id, 'problems', parent, 'problems' FROM problems WHERE parent IS NOT NULL
  UNION ALL SELECT id, 'nodes', problem, 'problems' FROM nodes
  UNION ALL SELECT id, 'nodes', parent, 'nodes' FROM nodes WHERE parent IS NOT NULL
  UNION ALL SELECT id, 'nodes', call, 'calls' FROM nodes WHERE call IS NOT NULL
  UNION ALL SELECT id, 'scores', target, NULL FROM scores
  UNION ALL SELECT id, 'scores', call, 'calls' FROM scores WHERE call IS NOT NULL
  UNION ALL SELECT id, 'critiques', target, 'rationales' FROM critiques
  UNION ALL SELECT id, 'critiques', call, 'calls' FROM critiques WHERE call IS NOT NULL
  UNION ALL SELECT id, 'pairs', chosen, 'rationales' FROM pairs
  UNION ALL SELECT id, 'pairs', rejected, 'rationales' FROM pairs
  UNION ALL SELECT id, 'rejections', target, target_table FROM rejections
  UNION ALL SELECT id, 'failures', target, NULL FROM failures;

-- what people said of rationales in `synth view`, as it stands: one row a person and rationale
CREATE VIEW human_verdicts AS
  SELECT s.target, s.judge AS reviewer, s.label AS verdict, s.reason AS comment, r.problem, p.question, p.answer AS gold,
    r.teacher, r.text, r.answer, n.id AS revised, n.text AS revised_text, n.answer AS revised_answer
  FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem
  LEFT JOIN rationales n ON n.parent = s.target AND n.step = 'human_review' AND n.teacher = s.judge
  WHERE s.name = 'human' AND r.step <> 'human_review';
