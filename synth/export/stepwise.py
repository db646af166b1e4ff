"""Rationales with what is known of each of their steps, and the text cut where steps begin, for formats that read steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from synth.errors import UserError
from synth.export.format import LeftOut, Need
from synth.export.options import ExportOptions
from synth.export.records import MEDIA, PROBLEM, WRITTEN, has_media
from synth.records import spans_of
from synth.store.database import Store

__all__ = [
    "CLIPPED",
    "CUT",
    "StepRow",
    "cut_text",
    "labelled",
    "need_of_steps",
    "pieces_of",
    "scores_on_steps",
    "step_spans",
    "weights_at",
]

CLIPPED = "step weights below 0 are written as 0"
CUT = "rows end before the first step of which something is missing"

_TREE = (
    "SELECT count(*) FROM rationales r JOIN scores s ON s.target = r.id WHERE r.node IS NOT NULL AND s.name = 'correct'"
)
_STEP_SCORES = "SELECT count(*) FROM scores WHERE part.kind = 'step' AND value IS NOT NULL AND name = {}"
_NAMED_STEP = "FROM {} WHERE part.kind = 'step'"


def _text(name: str) -> str:
    """A text in SQL."""
    return "'" + name.replace("'", "''") + "'"


def need_of_steps(options: ExportOptions) -> Need:
    """What a run must have for labels of steps."""
    if options.labels == "tree":
        what = "path of a thought tree whose answer was verified"
        made = "the steps 'search', 'path_to_rationale' and 'verify_answer' make them"
        return Need(what, _TREE, _TREE, "rationales", made)
    if options.labels == "critiques":
        count = f"SELECT count(*) {_NAMED_STEP}"
        table = "critiques"
        made = "a step 'critique' makes them"
        return Need("critique that names a step", count.format(table), count.format("kept_critiques"), table, made)
    count = _STEP_SCORES.format(_text(options.step_score))
    made = (
        f"scores of single steps named {options.step_score!r} make them (--step-score names others), the steps 'search', "
        "'path_to_rationale' and 'verify_answer' together (--labels tree), or, on a critic's word alone, a step 'critique' "
        "(--labels critiques)"
    )
    return Need("label of a step", count, count, "scores", made)


_RATIONALES = f"""
SELECT r.id, r.problem, r.unit, r.model, r.steps, r.segmenter, {WRITTEN.format("r", "")}, {PROBLEM}, l.labels, l.labelled_by,
  v.listed AS "values", w.listed AS weights, y.listed AS reasons,
  r.id IN (SELECT target FROM scores WHERE part IS NULL AND name = 'correct' AND value = 1) AS "right"
FROM rationales r JOIN problems p ON p.id = r.problem JOIN ({{labels}}) l ON l.target = r.id
LEFT JOIN ({{values}}) v ON v.target = r.id LEFT JOIN ({{weights}}) w ON w.target = r.id LEFT JOIN ({{reasons}}) y ON y.target = r.id
WHERE r.problem NOT IN (FROM excluded)
ORDER BY p.source, r.problem, r.id
"""

_BY_STEP = """
SELECT target, list(struct_pack(step := part.index, value := value) ORDER BY part.index) AS listed
FROM current_scores WHERE part.kind = 'step' AND name = {} GROUP BY target"""

_REASONS = """
SELECT target, list(struct_pack(step := place, value := value, reason := reason) ORDER BY place, judge, id) AS listed
FROM (SELECT s.target, s.part.index AS place, s.value, s.reason, s.judge, s.id FROM scores s
  LEFT JOIN (SELECT name, max(position) AS position FROM pipeline_steps GROUP BY name) q ON q.name = s.step
  WHERE s.part.kind = 'step' AND s.name = {} QUALIFY coalesce(q.position, 0) = max(coalesce(q.position, 0)) OVER (PARTITION BY s.target, s.part))
WHERE reason IS NOT NULL AND value IS NOT NULL GROUP BY target"""

_LABELS = {
    # Of several judges of one step the mean counts.
    "scores": """
SELECT target, list(struct_pack(step := place, value := value) ORDER BY place) AS labels,
  array_to_string(list_sort(list_distinct(flatten(list(judges) FILTER (value IS NOT NULL)))), ', ') AS labelled_by
FROM (SELECT target, part.index AS place, value >= {limit} AS value, whose AS judges FROM current_scores
  WHERE part.kind = 'step' AND name = {name}) GROUP BY target""",
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
  SELECT a.leaf, list(struct_pack(step := a.depth, value := v.value) ORDER BY a.depth) AS labels, list(a.text ORDER BY a.depth) AS texts
  FROM paths a JOIN reached v ON v.node = a.node GROUP BY a.leaf
)
SELECT r.id AS target, d.labels, 'tree' AS labelled_by FROM rationales r JOIN labelled d ON d.leaf = r.node WHERE r.steps = d.texts""",
    "critiques": """
SELECT target, list(struct_pack(step := i, value := i < first) ORDER BY i) AS labels, any_value(labelled_by) AS labelled_by
FROM (SELECT target, min(part.index) AS first, string_agg(DISTINCT critic, ', ' ORDER BY critic) AS labelled_by
  FROM kept_critiques WHERE part.kind = 'step' GROUP BY target) c, unnest(range(c.first + 1)) u(i) GROUP BY target""",
}
"""By where labels come from: for each rationale a list of (step, whether it is right), and whose labels they are."""


@dataclass(frozen=True)
class StepRow:
    """A rationale with what is known of its steps."""

    row: Mapping[str, Any]
    """Its columns, with those of its problem."""
    steps: tuple[str, ...]
    """All its steps, in order."""
    labels: Mapping[int, bool]
    """By index of the step: whether it is right. Steps without a label are not in it."""
    values: Mapping[int, float]
    """By index: the score named by `values`."""
    weights: Mapping[int, float]
    """By index: the score named by `step_weight`, at least 0."""
    reasons: Mapping[int, str]
    """By index: the first reason, by name of the judge, of one whose verdict is the label."""
    where: str
    """Where the labels come from: `scores`, `tree` or `critiques`."""

    @property
    def of_thought(self) -> bool:
        """Whether the thought was cut into steps, and not the response."""
        return (self.row["segmenter"] or "").startswith("thought ")

    def first_missing(self, *columns: Mapping[int, Any]) -> int:
        """Index of the first step that one of these has nothing of; the number of steps where all is there."""
        return next((i for i in range(len(self.steps)) if any(i not in c for c in columns)), len(self.steps))


def labelled(store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[StepRow]:
    """Rationales, kept or not, of kept problems whose steps were labelled, if only as unsure; in order of source, problem and record.

    Raises:
        UserError: a score is on a step that its rationale does not have; or labels of a tree are to have columns of scores.
    """
    where = options.labels
    if where == "auto":
        there = store.sql(_STEP_SCORES.format(_text(options.step_score))).fetchall()[0][0]
        where = "scores" if there else "tree"
    if where != "scores" and (more := _of_scores(options)):
        raise UserError(
            f"{more} reads scores of single steps, and labels by {where} come without them", fix="--labels scores"
        )
    name = _text(options.step_score)
    query = _RATIONALES.format(
        labels=_LABELS[where].format(name=name, limit=options.label_from) if where == "scores" else _LABELS[where],
        values=_BY_STEP.format(_text(options.values or "")),
        weights=_BY_STEP.format(_text(options.step_weight or "")),
        reasons=_REASONS.format(_text(options.reasons or options.step_score)),
    )
    named = {"labels": options.step_score, "values": options.values}
    for row in store.each(query):
        if has_media(row):
            left_out.add(row["id"], MEDIA)
            continue
        steps = tuple(row["steps"] or ())
        for column, score in named.items():
            if where == "scores" or column != "labels":
                _check_places(row["id"], steps, row[column], str(score))
        labels = {entry["step"]: entry["value"] for entry in row["labels"] if entry["value"] is not None}
        weights, clipped = weights_at(row, str(options.step_weight))
        left_out.changed[CLIPPED] += clipped
        reasons: dict[int, str] = {}
        for entry in row["reasons"] or ():
            if labels.get(entry["step"]) == (entry["value"] >= options.label_from):
                reasons.setdefault(entry["step"], entry["reason"])
        yield StepRow(row, steps, labels, _by_step(row["values"]), weights, reasons, where)


def _of_scores(options: ExportOptions) -> str | None:
    """The first option that needs scores of steps, as the command line calls it."""
    given = {"--values": options.values, "--step-weight": options.step_weight, "--reasons": options.reasons}
    return next((flag for flag, value in given.items() if value is not None), None)


def _by_step(listed: Sequence[Mapping[str, Any]] | None) -> dict[int, float]:
    return {entry["step"]: entry["value"] for entry in listed or () if entry["value"] is not None}


def _check_places(record: str, steps: Sequence[str], listed: Sequence[Mapping[str, Any]] | None, score: str) -> None:
    """Raise for a score on a step that the rationale does not have."""
    beyond = [entry["step"] for entry in listed or () if entry["step"] >= len(steps)]
    if beyond:
        raise UserError(
            f"rationale {record} has {len(steps)} steps, and a score {score!r} on step {beyond[0] + 1}",
            fix="its steps were cut again after they were scored, or the input is wrong: score them after the last step "
            "'segment', or reject this rationale",
        )


def weights_at(row: Mapping[str, Any], score: str) -> tuple[dict[int, float], int]:
    """The weights of the steps of a rationale by index, at least 0, and how many were below.

    Args:
        row: its row, with the columns `steps` and `weights`.
        score: the name of the scores.

    Raises:
        UserError: there is a score on a step that it does not have.
    """
    _check_places(row["id"], row["steps"] or (), row["weights"], score)
    found = _by_step(row["weights"])
    return {i: max(0.0, w) for i, w in found.items()}, sum(w < 0 for w in found.values())


def scores_on_steps(score: str) -> str:
    """SQL: by rationale (`target`), the list of (step, value) of a score (`listed`)."""
    return _BY_STEP.format(_text(score))


def step_spans(row: Mapping[str, Any], side: str = "") -> tuple[tuple[int, int], ...] | None:
    """Where the steps of a rationale stand in the text that was cut, by a row with the columns of `WRITTEN`, `steps` and `segmenter`.

    Returns:
        As (start, end) in characters; None where they are no slices of it.
    """
    if not row[f"{side}steps"]:
        return None
    thought = (row[f"{side}segmenter"] or "").startswith("thought ")
    span = row[f"{side}answer_span"]
    statement = None if thought or span is None else (span[0], span[1])
    return spans_of(row[f"{side}steps"], cut_text(row, side), statement)


def cut_text(row: Mapping[str, Any], side: str = "") -> str:
    """The text that was cut into steps: the thought or the response."""
    thought = (row[f"{side}segmenter"] or "").startswith("thought ")
    return (row[f"{side}thought"] if thought else row[f"{side}response"]) or ""


def pieces_of(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """A text in as many pieces as it has steps: each begins with its step, the first with the text, and goes on to the next one.

    Joined they are the text, byte for byte.
    """
    starts = [0, *(start for start, _ in spans[1:]), len(text)]
    return [text[a:b] for a, b in pairwise(starts)]
