"""`prm`: rationales with a label for each step, for process reward models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel, model_validator

from synth.errors import UserError
from synth.export.format import Format, LeftOut, Need
from synth.export.options import THOUGHT_OPTIONS, ExportOptions
from synth.export.records import MEDIA, PROBLEM, has_media, lineage, tag_within, thoughts_of
from synth.export.row import OfProblem
from synth.export.wording import Writing, answer_alone, prompt, prompt_text
from synth.store.database import Store

__all__ = ["Prm", "PrmRow"]

QUERY = f"""
SELECT r.id, r.problem, r.unit, r.model, r.steps, r.segmenter, r.thought, r.answer AS stated, {PROBLEM}, l.labels, l.labelled_by,
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

_TREE = (
    "SELECT count(*) FROM rationales r JOIN scores s ON s.target = r.id WHERE r.node IS NOT NULL AND s.name = 'correct'"
)
_STEP_SCORES = "SELECT count(*) FROM scores WHERE part.kind = 'step' AND value IS NOT NULL AND name = '{}'"

_NEEDS = {
    "scores": Need(
        "label of a step",
        _STEP_SCORES,
        _STEP_SCORES,
        "scores",
        "scores of single steps named {0!r} make them (--step-score names others), the steps 'thought_tree', 'path_to_rationale' and "
        "'verify_answer' together (--labels tree), or, on a critic's word alone, a step 'critique' (--labels critiques)",
    ),
    "tree": Need(
        "path of a thought tree whose answer was verified",
        _TREE,
        _TREE,
        "rationales",
        "the steps 'thought_tree', 'path_to_rationale' and 'verify_answer' make them",
    ),
    "critiques": Need(
        "critique that names a step",
        "SELECT count(*) FROM critiques WHERE part.kind = 'step'",
        "SELECT count(*) FROM kept_critiques WHERE part.kind = 'step'",
        "critiques",
        "a step 'critique' makes them",
    ),
}


class PrmRow(OfProblem):
    """Rationales with a label for each step: TRL's stepwise-supervision format, for process reward models.

    The steps are those of the record, one by one; nothing is joined and cut again. Labels from a tree come with a last step that
    states the answer.
    """

    prompt: str
    """The question."""
    completions: list[str]
    """The steps in order."""
    labels: list[bool]
    """Whether each step is right; as many as there are steps."""
    labelled_by: str
    """Where the labels come from: the judges of the scores, `tree`, or the critic."""
    segmenter: str
    """The definition of "step" used; empty where it is not known."""
    model: str
    """Who wrote it."""
    answer: str
    """The answer it states; empty where it states none."""

    @model_validator(mode="after")
    def _one_label_each(self) -> PrmRow:
        if len(self.completions) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for {len(self.completions)} steps")
        return self


class Prm(Format):
    """Labels of steps."""

    name = "prm"
    about = "a label for each step"
    options = THOUGHT_OPTIONS | {"layout", "system", "per_problem", "labels", "step_score", "label_from"}
    trainers = frozenset({"trl", "axolotl"})
    why_not: ClassVar = {"llama-factory": "it has no stepwise format", "openai": "it has no stepwise format"}
    row = PrmRow

    def check(self, options: ExportOptions) -> None:
        if options.layout == "conversational":
            raise UserError(
                "trainers of process reward models read strings, not conversations", remedy="leave --layout out"
            )

    def settled(self, options: ExportOptions) -> ExportOptions:
        return replace(options, layout="plain")

    def conversational(self, options: ExportOptions) -> bool:  # noqa: ARG002
        return False

    def need(self, options: ExportOptions) -> Need:
        need = _NEEDS["scores" if options.labels == "auto" else options.labels]
        name = options.step_score.replace("'", "''")
        return need._replace(
            made=need.made.format(name), kept=need.kept.format(name), maker=need.maker.format(options.step_score)
        )

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ARG002
        method = {"process_reward_model": True, "model_type": "AutoModelForTokenClassification", "num_labels": 2}
        return {"type": "stepwise_supervised", "step_separator": "\n"}, method

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        where = options.labels
        if where == "auto":
            there = "SELECT count(*) FROM scores WHERE part.kind = 'step' AND value IS NOT NULL AND name = $1"
            where = "scores" if store.sql(there, [options.step_score]).fetchall()[0][0] else "tree"
        given = (options.step_score, options.label_from) if where == "scores" else ()
        thoughts = thoughts_of(self, store, options)
        for row in store.each(QUERY.format(labels=_LABELS[where]), given):
            steps, labels = row["steps"] or [], [label["value"] for label in row["labels"]]
            places = [label["step"] for label in row["labels"]]
            # A row may end at its first wrong step; but no step before its end may be without a label.
            ended = bool(labels) and not labels[-1] and all(labels[:-1])
            if places != list(range(len(places))) or not (
                len(labels) == len(steps) or (ended and len(labels) < len(steps))
            ):
                left_out.add(row["id"], "its labels are not one for each step")
                continue
            if has_media(row):
                left_out.add(row["id"], MEDIA)
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
                if why := tag_within(thoughts, Writing("\n".join(steps), row["thought"])):
                    left_out.add(row["id"], why)
                    continue
                asked += f"{thoughts.tagged(row['thought'])}\n\n"  # read before the steps that are judged
            yield PrmRow(
                **lineage(row),
                prompt=asked,
                completions=steps,
                labels=labels,
                labelled_by=row["labelled_by"] or "",
                segmenter=row["segmenter"] or "",
                model=row["model"] or "",
                answer=row["stated"] or "",
            )
