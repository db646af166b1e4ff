"""From the records of a run to the rows of each contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
from pydantic import BaseModel

from synth.errors import UserError
from synth.export.contracts import (
    ContrastRow,
    ContrastSide,
    DpoRow,
    GrpoRow,
    JudgeRow,
    KtoRow,
    Message,
    PrmRow,
    PromptCompletionRow,
    RewardRow,
    SftRow,
    Span,
    Task,
    TextRow,
    TwinRow,
)
from synth.export.options import ExportOptions, thought_place, weights_of
from synth.export.wording import (
    Conversation,
    Thoughts,
    Writing,
    answer_alone,
    as_text,
    completion_text,
    prompt,
    prompt_text,
    reply,
    said,
)
from synth.store.database import Store

__all__ = ["LeftOut", "rows_of", "thoughts_of"]

REWARD = "synth.rewards.correct"
"""The function that rewards the completions of prompts in `grpo` rows."""

ASKS = {"rationale": "Give your reasoning, then the answer.", "answer": "Give the answer alone."}
"""What tells the tasks apart where both are to be learnt."""


class LeftOut:
    """Records an export could have made rows of and did not: how many, by reason, with one of them."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.example: dict[str, str] = {}

    def add(self, record: str, reason: str) -> None:
        """One more."""
        self.reasons[reason] += 1
        self.example.setdefault(reason, record)

    def told(self) -> list[str]:
        """A line for each reason."""
        return [f"{n:,} left out: {why} (such as {self.example[why]})" for why, n in self.reasons.most_common()]


def rows_of(contract: str, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    """The rows of a contract, in order of source, problem and record."""
    made = _WRITERS[contract](store, options, left_out)
    return made if options.per_problem is None else _capped(made, options.per_problem, left_out)


def _capped(rows: Iterator[BaseModel], limit: int, left_out: LeftOut) -> Iterator[BaseModel]:
    """Rows of one problem stand in the order of their ids, which are hashes: the first ones are as good as drawn."""
    have: Counter[tuple[str, str]] = Counter()
    for row in rows:
        group = (getattr(row, "problem_id", None) or row.unit, getattr(row, "task", ""))  # type: ignore[attr-defined]
        if have[group] >= limit:
            left_out.add(row.record_id, f"more than {limit} of its problem")  # type: ignore[attr-defined]
            continue
        have[group] += 1
        yield row


_PROBLEM = "p.question, p.context, p.rubric, p.evidence, p.choices, p.media, coalesce(p.source, '') AS source"

_WRITTEN = (
    "{0}.response AS {1}response, {0}.thought AS {1}thought, {0}.answer AS {1}stated, {0}.answer_span AS {1}answer_span"
)
"""The columns of `Writing.of`."""

_SFT = f"""
SELECT r.id, r.problem, r.unit, r.model, r.call, r.hinted, {_WRITTEN.format("r", "")}, {_PROBLEM},
  (SELECT to_json(map(list(s.name ORDER BY s.name), list(s.value ORDER BY s.name))) FROM current_scores s WHERE s.target = r.id AND s.part IS NULL) AS scores,
  c.label AS scheduled
FROM kept_rationales r JOIN problems p ON p.id = r.problem
LEFT JOIN current_scores c ON c.target = r.id AND c.name = 'cot_share' AND c.part IS NULL
ORDER BY {{schedule}} p.source, r.problem, r.id
"""

# In the order of a schedule rows of one probability are as good as drawn: their ids are hashes.
_SCHEDULE = "c.value NULLS LAST, r.id,"

_FEEDBACK = f"""
SELECT q.id, q.unit, q.critic, q.call, q.explanation, q.correction, {_WRITTEN.format("r", "")}, r.problem, {_PROBLEM}, p.answer AS gold,
  c.thought AS critic_thought,
  (SELECT to_json(map(list(s.name ORDER BY s.name), list(s.value ORDER BY s.name))) FROM current_scores s WHERE s.target = q.id AND s.part IS NULL) AS scores
FROM kept_critiques q JOIN rationales r ON r.id = q.target JOIN problems p ON p.id = r.problem LEFT JOIN calls c ON c.id = q.call
ORDER BY p.source, r.problem, q.id
"""

_KTO = f"""
SELECT r.id, r.problem, r.unit, r.model, {_WRITTEN.format("r", "")}, {_PROBLEM}, k.id IS NOT NULL AS kept,
  (SELECT to_json(map(list(s.name ORDER BY s.name), list(s.value ORDER BY s.name))) FROM current_scores s WHERE s.target = r.id AND s.part IS NULL) AS scores
FROM rationales r JOIN problems p ON p.id = r.problem LEFT JOIN kept_rationales k ON k.id = r.id
WHERE r.reasoning <> '' AND r.problem NOT IN (FROM excluded)
  AND (k.id IS NOT NULL OR r.id IN (SELECT target FROM scores WHERE part IS NULL AND label IN ('wrong', 'rejected')))
ORDER BY p.source, r.problem, r.id
"""

_JUDGE = """
SELECT v.*, c.messages, c.reply, c.thought, coalesce(p.source, '') AS source, s.unit FROM reviews v JOIN scores s ON s.id = v.id
JOIN calls c ON c.id = v.call JOIN problems p ON p.id = s.unit
WHERE v.value IS NOT NULL AND c.shape = 'Rated' ORDER BY p.source, v.target, v.reviewer
"""

_DERIVED = f"""
SELECT p.id, p.unit, {_PROBLEM}, p.answer, p.parent FROM kept_problems p
WHERE p.parent IS NOT NULL ORDER BY p.source, p.parent, p.answer
"""

_ORIGINALS = f"""
SELECT p.id, p.unit, {_PROBLEM}, p.answer FROM kept_problems p
WHERE p.id IN (SELECT parent FROM kept_problems) ORDER BY p.source, p.id
"""

_ANALYSES = """
SELECT id, problem, text, parts FROM kept_rationales WHERE json_type(parts, '$.options') = 'ARRAY' ORDER BY problem, id
"""

_PAIRS = f"""
WITH repeated AS (
  SELECT j.target, any_value(j.rule) AS rule FROM rejections j JOIN pipeline_steps s ON s.name = j.step
  WHERE s.step IN ('deduplicate', 'near_duplicates', 'decontaminate') GROUP BY j.target)
SELECT a.*, {_PROBLEM}, {_WRITTEN.format("c", "chosen_")}, c.model AS chosen_model,
  {_WRITTEN.format("d", "rejected_")}, d.model AS rejected_model, x.rule AS chosen_out, y.rule AS rejected_out
FROM kept_pairs a JOIN problems p ON p.id = a.problem JOIN rationales c ON c.id = a.chosen JOIN rationales d ON d.id = a.rejected
LEFT JOIN repeated x ON x.target = c.id LEFT JOIN repeated y ON y.target = d.id
ORDER BY p.source, a.problem, a.id
"""

_GRPO = f"""
SELECT p.id, p.unit, {_PROBLEM}, p.answer, p.answer_kind, t.tried, t.good FROM kept_problems p LEFT JOIN (
  SELECT r.problem, count(s.value) AS tried, count(*) FILTER (s.value = 1) AS good
  FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'correct' AND s.part IS NULL GROUP BY r.problem
) t ON t.problem = p.id
WHERE p.answer IS NOT NULL ORDER BY p.source, p.id
"""

_STEPWISE = f"""
SELECT r.id, r.problem, r.unit, r.model, r.steps, r.segmenter, r.thought, r.answer AS stated, {_PROBLEM}, l.labels, l.labelled_by,
  r.id IN (SELECT target FROM scores WHERE part IS NULL AND name = 'correct' AND value = 1) AS "right"
FROM rationales r JOIN problems p ON p.id = r.problem JOIN ({{labels}}) l ON l.target = r.id
WHERE r.problem NOT IN (FROM excluded)
ORDER BY p.source, r.problem, r.id
"""

_LABELS = {
    # Of several judges of one step the mean counts.
    "scores": """
SELECT target, list(struct_pack(step := place, value := value) ORDER BY place) AS labels,
  array_to_string(list_sort(list_distinct(flatten(list(judges)))), ', ') AS labelled_by
FROM (SELECT target, part.index AS place, value >= $2 AS value, whose AS judges FROM current_scores
  WHERE part.kind = 'step' AND name = $1 AND value IS NOT NULL) GROUP BY target""",
    "tree": """
WITH RECURSIVE leaves AS (
  SELECT r.node AS leaf, max(s.value) AS value FROM rationales r JOIN scores s ON s.target = r.id
  WHERE r.node IS NOT NULL AND s.name = 'correct' AND s.part IS NULL AND s.value IS NOT NULL GROUP BY r.node
), below AS (
  SELECT n.id AS node, n.parent, l.value FROM leaves l JOIN nodes n ON n.id = l.leaf
  UNION ALL SELECT n.id, n.parent, b.value FROM below b JOIN nodes n ON n.id = b.parent
), reached AS (SELECT node, max(value) >= 1 AS value FROM below GROUP BY node
), paths AS (
  SELECT l.leaf, n.id AS node, n.parent, n.depth, n.text FROM leaves l JOIN nodes n ON n.id = l.leaf
  UNION ALL SELECT a.leaf, n.id, n.parent, n.depth, n.text FROM paths a JOIN nodes n ON n.id = a.parent
), labelled AS (
  SELECT a.leaf, list(struct_pack(step := a.depth, value := v.value) ORDER BY a.depth) AS labels, list(a.text ORDER BY a.depth) AS told
  FROM paths a JOIN reached v ON v.node = a.node GROUP BY a.leaf
)
SELECT r.id AS target, d.labels, 'tree' AS labelled_by FROM rationales r JOIN labelled d ON d.leaf = r.node WHERE r.steps = d.told""",
    "critiques": """
SELECT target, list(struct_pack(step := i, value := i < first) ORDER BY i) AS labels, any_value(labelled_by) AS labelled_by
FROM (SELECT target, min(part.index) AS first, string_agg(DISTINCT critic, ', ' ORDER BY critic) AS labelled_by
  FROM kept_critiques WHERE part.kind = 'step' GROUP BY target) c, unnest(range(c.first + 1)) u(i) GROUP BY target""",
}
"""By where labels come from: for each rationale a list of (step, whether it is right), and whose labels they are."""


def _plain(options: ExportOptions) -> bool:
    return options.layout == "plain"


def _left(row: Mapping[str, Any], options: ExportOptions, thoughts: Thoughts, *writings: Writing) -> str | None:
    """Why no row can be made of a record that is to hold these texts, if none can."""
    if _has_media(row):
        return "its problem has images or sounds, which these rows cannot carry"
    for writing in writings:
        if writing.empty:
            return "it has no text"
        if not writing.response.strip():
            return "it is a thought without a response, such as one that was cut off"
        states_answer = options.style == "delimiter" or options.order == "answer-first" or options.as_thought
        if states_answer and writing.answer is None:
            return "it states no answer"
        if (writing.thought or options.as_thought) and (why := _tag_within(thoughts, writing)):
            return why
    return None


def _tag_within(thoughts: Thoughts, writing: Writing) -> str | None:
    """Why a text cannot have its thought in tags, if it cannot: nobody could tell where the thought ends."""
    if thoughts.place == "tags":
        for tag in thoughts.tags:
            if tag in writing.response or tag in (writing.thought or ""):
                return f"its text holds the tag {tag}"
    return None


def thoughts_of(contract: str, store: Store, options: ExportOptions) -> Thoughts:
    """How the thoughts of an export are written."""
    found = "SELECT EXISTS (FROM rationales WHERE thought IS NOT NULL) OR EXISTS (FROM calls WHERE thought IS NOT NULL)"
    return Thoughts(thought_place(contract, options), options.tags, store.sql(found).fetchall()[0][0])


def _has_media(row: Mapping[str, Any]) -> bool:
    return row["media"] not in (None, "[]", "null")


def _lineage(row: Mapping[str, Any]) -> dict[str, str]:
    return {"record_id": row["id"], "problem_id": row["problem"], "unit": row["unit"], "source": row["source"]}


def _sft(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    feedback = store.sql("SELECT count(*) FROM kept_critiques").fetchall()[0][0] > 0
    (n_scheduled,) = store.sql("SELECT count(*) FROM scores WHERE name = 'cot_share'").fetchall()[0]
    scheduled = n_scheduled > 0 and options.target == "rationale"
    if scheduled and options.stages == "two":
        raise UserError(
            "--stages two makes two rows of each rationale, and the step cot_share has scheduled which have one",
            remedy="leave one of them out",
        )
    rationales = options.target != "answer"
    answers = options.target != "rationale" or options.stages == "two" or scheduled
    tasks = [t for t, there in (("rationale", rationales), ("feedback", feedback), ("answer", answers)) if there]
    weights = weights_of(tasks, options.weights)
    for task in options.ask:
        if task not in tasks:
            raise UserError(
                f"--ask {task}=…: this export has no rows of the task {task!r}", remedy=f"its tasks: {', '.join(tasks)}"
            )
    told = {**(ASKS if options.target == "both" else {}), **options.ask}
    asks = {task: f"\n\n{text}" for task, text in told.items() if text}

    thoughts = thoughts_of("sft", store, options)

    def made(
        row: dict[str, Any], task: Task, more: str, turn: Conversation, model: str | None, hinted: bool
    ) -> BaseModel:
        lineage = _lineage(row) | {
            "task": task,
            "weight": weights[task],
            "model": model or "",
            "call_id": row["call"] or "",
            "answer": row["gold" if task == "feedback" else "stated"] or "",
            "hinted": hinted,
            "scores": _as_json(row["scores"]),
        }
        asked = prompt(row, options, more + asks.get(task, ""))
        if options.shape == "prompt-completion":
            return PromptCompletionRow(**lineage, **_two_columns(asked, turn, options))
        if _plain(options):
            return TextRow(**lineage, text=as_text(asked, turn, options))
        return SftRow(**lineage, messages=[*asked, *turn])

    answered: set[str] = set()
    for row in store.each(_SFT.format(schedule=_SCHEDULE if scheduled else "")):
        writing, author = Writing.of(row), (row["model"], row["hinted"])
        alone = scheduled and row["scheduled"] == "answer"
        if why := _left(row, options, thoughts, *([writing] if rationales and not alone else [])):
            left_out.add(row["id"], why)
            continue
        if alone and writing.answer is None:
            left_out.add(row["id"], "it states no answer, and is scheduled to stand for the answer alone")
            continue
        if options.stages == "two" and not _shown(writing, thoughts):
            left_out.add(row["id"], "without the statement of its answer it has no text")
            continue
        if rationales and not alone:
            whole = _reasons(writing, thoughts) if options.stages == "two" else reply(writing, thoughts, options)
            yield made(row, "rationale", "", whole, *author)
        if not (answers if not scheduled else alone):
            continue
        if writing.answer is None:
            left_out.add(row["id"], "it states no answer")
            continue
        turn = said(answer_alone(writing.answer, options), None, thoughts)
        if options.stages == "two":
            yield made(row, "answer", f"\n\nReasoning:\n{_shown(writing, thoughts)}", turn, *author)
        elif scheduled or row["problem"] not in answered:  # the answer alone is the same whoever reasoned
            answered.add(row["problem"])
            yield made(row, "answer", "", turn, *author)

    for row in store.each(_FEEDBACK):
        correction = f"\nIt should have been: {row['correction']}" if row["correction"] else ""
        writing = Writing(row["explanation"] + correction, row["critic_thought"])
        if not row["explanation"].strip():
            left_out.add(row["id"], "it has no text")
        elif why := _left(
            row, replace(options, style="written", order="rationale-first", as_thought=False), thoughts, writing
        ):
            left_out.add(row["id"], why)
        else:
            yield made(row, "feedback", _wrong(row), said(*writing[:2], thoughts), row["critic"], True)


def _shown(writing: Writing, thoughts: Thoughts | None = None) -> str:
    """A solution as a prompt shows it, without its answer; the thought where nothing else is left of it and thoughts are written."""
    dropped = thoughts is not None and thoughts.place == "drop"
    return writing.solution or ("" if dropped else (writing.thought or "").strip())


def _reasons(writing: Writing, thoughts: Thoughts) -> Conversation:
    """A turn that holds the reasoning without the answer. A thought that is all of it is its text: a turn is not to be empty."""
    return said(_shown(writing, thoughts), writing.thought if writing.solution else None, thoughts)


def _two_columns(asked: Conversation, turn: Conversation, options: ExportOptions) -> dict[str, Any]:
    if _plain(options):
        return {"prompt": prompt_text(asked, options), "completion": completion_text(turn, options)}
    return {"prompt": asked, "completion": turn}


def _wrong(row: dict[str, Any]) -> str:
    """What the task `feedback` adds to the question: question, wrong answer and gold answer are its input, arXiv:2410.03663."""
    writing = Writing.of(row)
    parts = [_shown(writing), writing.statement]
    gold = f"The right answer is {row['gold']}. " if row["gold"] is not None else ""
    solution = "\n".join(part for part in parts if part)
    return f"\n\nA wrong solution:\n{solution}\n\n{gold}What is wrong in the solution?"


def _kto(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    thoughts = thoughts_of("kto", store, options)
    for row in store.each(_KTO):
        writing = Writing.of(row)
        if why := _left(row, options, thoughts, writing):
            left_out.add(row["id"], why)
            continue
        yield KtoRow(
            **_lineage(row),
            **_two_columns(prompt(row, options), reply(writing, thoughts, options), options),
            label=row["kept"],
            model=row["model"] or "",
            scores=_as_json(row["scores"]),
        )


def _dpo(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    return _pairs(store, "dpo", options, left_out, DpoRow, states_margin=True)


def _reward(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    return _pairs(store, "reward", options, left_out, RewardRow, states_margin=options.margin)


def _pairs(
    store: Store,
    contract: str,
    options: ExportOptions,
    left_out: LeftOut,
    kind: type[BaseModel],
    *,
    states_margin: bool,
) -> Iterator[BaseModel]:
    thoughts = thoughts_of(contract, store, options)
    for row in store.each(_PAIRS):
        # Both sides state their own answer: the loser must be seen to lose.
        sides = [Writing.of(row, "chosen_"), Writing.of(row, "rejected_")]
        out = [f"its {side} side was rejected: {row[f'{side}_out']}" for side in _SIDES if row[f"{side}_out"]]
        if why := (out[0] if out else _left(row, options, thoughts, *sides)):
            left_out.add(row["id"], why)
            continue
        chosen, rejected = (reply(side, thoughts, options) for side in sides)
        if _seen(chosen) == _seen(rejected):
            left_out.add(row["id"], "its chosen and rejected sides are equal")
            continue
        asked = prompt(row, options)
        plain = _plain(options)
        yield kind(
            **_lineage(row),
            prompt=prompt_text(asked, options) if plain else asked,
            chosen=completion_text(chosen, options) if plain else chosen,
            rejected=completion_text(rejected, options) if plain else rejected,
            chosen_id=row["chosen"],
            rejected_id=row["rejected"],
            reason=row["reason"],
            margin=(row["margin"] or 0.0) if states_margin else 0.0,
            first_differing_step=-1 if row["first_differing_step"] is None else row["first_differing_step"],
            length_difference=row["length_difference"],
            chosen_model=row["chosen_model"] or "",
            rejected_model=row["rejected_model"] or "",
        )


_SIDES = ("chosen", "rejected")


def _seen(turn: Conversation) -> list[list[str]]:
    """What a trainer sees of a turn, without regard to white space."""
    return [(text or "").split() for text in (turn[0].content, turn[0].reasoning_content, turn[0].thinking)]


def _prm(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    where = options.labels
    if where == "auto":
        there = "SELECT count(*) FROM scores WHERE part.kind = 'step' AND value IS NOT NULL AND name = $1"
        where = "scores" if store.sql(there, [options.step_score]).fetchall()[0][0] else "tree"
    given = (options.step_score, options.label_from) if where == "scores" else ()
    thoughts = thoughts_of("prm", store, options)
    for row in store.each(_STEPWISE.format(labels=_LABELS[where]), given):
        steps, labels = row["steps"] or [], [label["value"] for label in row["labels"]]
        places = [label["step"] for label in row["labels"]]
        # A row may end at its first wrong step; but no step before its end may be without a label.
        ended = bool(labels) and not labels[-1] and all(labels[:-1])
        if places != list(range(len(places))) or not (
            len(labels) == len(steps) or (ended and len(labels) < len(steps))
        ):
            left_out.add(row["id"], "its labels are not one for each step")
            continue
        if _has_media(row):
            left_out.add(row["id"], "its problem has images or sounds, which these rows cannot carry")
            continue
        of_thought = (row["segmenter"] or "").startswith("thought ")
        if of_thought and thoughts.place == "drop":
            left_out.add(row["id"], "its steps are those of its thought, which --thinking drop leaves out")
            continue
        steps = steps[: len(labels)]
        if where == "tree":  # a path ends right or wrong by its answer, which does not stand in its last thought
            steps, labels = [*steps, answer_alone(row["stated"], options)], [*labels, row["right"]]
        asked = prompt_text(prompt(row, options), options)
        if row["thought"] and thoughts.place == "tags" and not of_thought:
            if why := _tag_within(thoughts, Writing("\n".join(steps), row["thought"])):
                left_out.add(row["id"], why)
                continue
            asked += f"{thoughts.tagged(row['thought'])}\n\n"  # read before the steps that are judged
        yield PrmRow(
            **_lineage(row),
            prompt=asked,
            completions=steps,
            labels=labels,
            labelled_by=row["labelled_by"] or "",
            segmenter=row["segmenter"] or "",
            model=row["model"] or "",
            answer=row["stated"] or "",
        )


def _grpo(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    for row in store.each(_GRPO):
        if why := _left(row, options, Thoughts("drop")):
            left_out.add(row["id"], why)
            continue
        asked = prompt(row, options)
        yield GrpoRow(
            **_lineage(row | {"problem": row["id"]}),
            prompt=prompt_text(asked, options) if _plain(options) else asked,
            answer=row["answer"],
            answer_kind=row["answer_kind"] or ("choice" if row["choices"] else "text"),
            choices=orjson.dumps(list(row["choices"] or ())).decode(),
            reward=REWARD,
            tried=row["tried"] or 0,
            right=row["good"] or 0,
        )


def _judge(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    known = {1.0: "yes", 0.0: "no"}
    thoughts = thoughts_of("judge", store, options)
    for row in store.each(_JUDGE):
        if row["thought"] and (why := _tag_within(thoughts, Writing(row["reply"], row["thought"]))):
            left_out.add(row["id"], why)
            continue
        yield JudgeRow(
            messages=[
                *(Message(**m) for m in orjson.loads(row["messages"])),
                *said(row["reply"], row["thought"], thoughts),
            ],
            value=row["value"],
            record_id=row["id"],
            target_id=row["target"],
            unit=row["unit"],
            reviewer=row["reviewer"],
            author=row["author"] or "",
            correct=known.get(row["correct"], "unknown"),
            source=row["source"],
        )


def _twins(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:  # noqa: ARG001
    derived = store.rows(_DERIVED)
    kept = {row["parent"] for row in derived}
    both = [
        *(("original", r) for r in store.rows(_ORIGINALS) if r["id"] in kept),
        *(("counterfactual", r) for r in derived),
    ]
    for kind, row in both:
        yield TwinRow(
            prompt=prompt(row, options),
            answer=row["answer"],
            kind=kind,
            problem_id=row["id"],
            unit=row["unit"],
            source=row["source"],
        )


def _contrast(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    analyses: dict[str, dict[str, Any]] = {}
    for row in store.each(_ANALYSES):
        if (spans := _spans(row)) is not None:
            analyses.setdefault(row["problem"], {**row, "spans": spans})
    originals = {row["id"]: row for row in store.rows(_ORIGINALS)}
    for derived in store.rows(_DERIVED):
        original = originals.get(derived["parent"])
        if original is None or original["id"] not in analyses or derived["id"] not in analyses:
            left_out.add(derived["id"], "it or its original has no kept analysis that says where each option stands")
            continue
        letters = [chr(ord("A") + i) for i in range(len(original["choices"]))]
        yield ContrastRow(
            original=_side(original, analyses[original["id"]], options),
            counterfactual=_side(derived, analyses[derived["id"]], options),
            anchor=original["answer"],
            positives=[a for a in letters if a not in {original["answer"], derived["answer"]}],
            unit=derived["unit"],
            source=derived["source"],
        )


def _spans(rationale: Mapping[str, Any]) -> list[Span] | None:
    """Where a rationale speaks of each option, as its `parts` say: `options`, a list in which each has a `span` in the text."""
    spans = []
    for i, option in enumerate(orjson.loads(rationale["parts"])["options"]):
        match option:
            case {"span": [int(begin), int(end)]} if 0 <= begin <= end <= len(rationale["text"]):
                spans.append(Span(letter=chr(ord("A") + i), begin=begin, end=end))
            case _:
                return None
    return spans


def _side(problem: dict[str, Any], analysis: dict[str, Any], options: ExportOptions) -> ContrastSide:
    return ContrastSide(
        prompt=prompt(problem, options),
        text=analysis["text"],
        answer=problem["answer"],
        spans=analysis["spans"],
        problem_id=problem["id"],
        rationale_id=analysis["id"],
    )


_WRITERS: dict[str, Callable[[Store, ExportOptions, LeftOut], Iterator[BaseModel]]] = {
    "sft": _sft,
    "dpo": _dpo,
    "kto": _kto,
    "prm": _prm,
    "grpo": _grpo,
    "reward": _reward,
    "judge": _judge,
    "contrast": _contrast,
    "twins": _twins,
}


def _as_json(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value or {}).decode()
