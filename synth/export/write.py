"""Write kept records as training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from synth.errors import UserError
from synth.export.contracts import (
    CONTRACTS,
    ContrastRow,
    ContrastSide,
    DpoRow,
    JudgeRow,
    KtoRow,
    Message,
    SftRow,
    TwinRow,
)
from synth.store.database import Store, open_store

__all__ = ["ExportOptions", "Exported", "export_run"]


@dataclass(frozen=True)
class ExportOptions:
    """How rows are written."""

    style: Literal["natural", "delimiter"] = "natural"
    """`natural`: the answer in a sentence. `delimiter`: `question ###` and `rationale --> answer END`, as arXiv:2212.10071."""
    system: str | None = None
    """A system message for every row."""
    file_format: Literal["jsonl", "parquet"] = "jsonl"
    stages: Literal["one", "two"] = "one"
    """`two`: question to rationale, and question and rationale to answer, as rows of their own (arXiv:2311.14109)."""
    feedback_weight: float = 0.5
    """Weight of feedback rows where a run has them, in (0, 1); rationales then weigh the rest (alpha of arXiv:2410.03663)."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: tuple[Path, ...]
    """One; or where the run has splits, one for each in which there is something."""
    rows: int
    """In all of them."""

    @property
    def path(self) -> Path:
        """The first file."""
        return self.files[0]


def export_run(run: Path | str, contract: str, out: Path | str, options: ExportOptions | None = None) -> Exported:
    """Write the kept records of a run as rows of a contract, into `out/CONTRACT.jsonl` (or `.parquet`).

    Where a step `split` has assigned problems, into `out/CONTRACT.SPLIT.jsonl` for each split; rows of problems that it
    has not seen (they were put out before) go to `CONTRACT.unassigned.jsonl`.

    Raises:
        UserError: there is no such contract, or nothing to export.
    """
    options = options or ExportOptions()
    if contract not in CONTRACTS:
        raise UserError(f"there is no contract {contract!r}", remedy=f"contracts: {', '.join(CONTRACTS)}")
    with open_store(run) as store:
        rows: list[Any] = list(_WRITERS[contract](store, options))
        splits = dict(store.sql(_SPLITS).fetchall())
    if not rows:
        makes = {"sft": "rationalize", "dpo": "pair", "kto": "rationalize", "judge": "review"}
        makes |= {"contrast": "counterfactual", "twins": "counterfactual"}
        raise UserError(
            f"there is nothing to export as {contract}: no kept record of that kind",
            where=str(run),
            remedy=f"is there a step {makes[contract]!r} in the pipeline? synth status {run} shows where the records went",
        )
    parts: dict[str, list[Any]] = {}
    for row in rows:
        name = f"{contract}.{splits.get(row.unit, 'unassigned')}" if splits else contract
        parts.setdefault(name, []).append(row)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files = tuple(_write(out, name, part, options) for name, part in parts.items())
    for old in out.glob(f"{contract}*.{options.file_format}"):
        if old not in files and old.name.split(".")[0] == contract:
            old.unlink()  # of an earlier export with other splits: it would be taken for part of this one
    return Exported(files, len(rows))


def _write(out: Path, name: str, rows: list[Any], options: ExportOptions) -> Path:
    path = out / f"{name}.{options.file_format}"
    draft = path.with_suffix(path.suffix + ".new")
    if options.file_format == "jsonl":
        with draft.open("wb") as file:
            for row in rows:
                file.write(row.model_dump_json().encode() + b"\n")
    else:
        import polars as pl

        pl.DataFrame([row.model_dump() for row in rows], infer_schema_length=None).write_parquet(draft)
    draft.replace(path)
    return path


_SPLITS = "SELECT target, any_value(label) FROM scores WHERE name = 'split' AND label IS NOT NULL GROUP BY target"

_SFT = """
SELECT r.id, r.problem, r.unit, r.teacher, r.call, r.text, r.answer AS stated, r.hinted, p.question, p.context, p.rubric, p.evidence, p.choices,
  p.answer, p.answer_kind, p.source,
  (SELECT json_group_object(s.name, s.value) FROM scores s WHERE s.target = r.id AND s.step_index IS NULL) AS scores
FROM kept_rationales r JOIN problems p ON p.id = r.problem ORDER BY p.source, r.problem, r.id
"""

_FEEDBACK = """
SELECT q.*, r.text, r.answer AS stated, r.hinted, r.problem, p.question, p.context, p.rubric, p.evidence, p.choices, p.answer, p.answer_kind, p.source,
  (SELECT json_group_object(s.name, s.value) FROM scores s WHERE s.target = q.id AND s.step_index IS NULL) AS scores
FROM kept_critiques q JOIN rationales r ON r.id = q.target JOIN problems p ON p.id = r.problem ORDER BY p.source, r.problem, q.id
"""

_KTO = """
SELECT r.id, r.problem, r.unit, r.teacher, r.text, r.answer AS stated, p.question, p.context, p.rubric, p.evidence, p.choices, p.source,
  k.id IS NOT NULL AS kept,
  (SELECT json_group_object(s.name, s.value) FROM scores s WHERE s.target = r.id AND s.step_index IS NULL) AS scores
FROM rationales r JOIN problems p ON p.id = r.problem LEFT JOIN kept_rationales k ON k.id = r.id
WHERE trim(r.text) <> '' AND r.unit NOT IN (SELECT target FROM rejections)
  AND (k.id IS NOT NULL OR r.id IN (SELECT target FROM scores WHERE label IN ('wrong', 'rejected')))
ORDER BY p.source, r.problem, r.id
"""

_JUDGE = """
SELECT v.*, c.messages, c.reply, p.source, s.unit FROM reviews v JOIN scores s ON s.id = v.id JOIN calls c ON c.id = v.call
JOIN problems p ON p.id = s.unit WHERE v.value IS NOT NULL AND c.shape = 'Rated' ORDER BY p.source, v.target, v.reviewer
"""

_DERIVED = """
SELECT d.id, d.unit, d.question, d.context, d.rubric, d.evidence, d.choices, d.answer, d.source, d.parent
FROM kept_problems d WHERE d.parent IS NOT NULL AND d.unit IN (SELECT id FROM kept_problems) ORDER BY d.source, d.parent, d.answer
"""

_ORIGINALS = """
SELECT id, unit, question, context, rubric, evidence, choices, answer, source FROM kept_problems
WHERE id IN (SELECT parent FROM kept_problems) ORDER BY source, id
"""

_ANALYSES = """
SELECT id, problem, text, parts FROM kept_rationales WHERE style = 'options' ORDER BY problem, id
"""

_DPO = """
SELECT a.*, p.question, p.context, p.rubric, p.evidence, p.choices, p.answer, p.source, c.text AS chosen_text, c.answer AS chosen_answer,
  c.teacher AS chosen_teacher, d.text AS rejected_text, d.answer AS rejected_answer, d.teacher AS rejected_teacher
FROM kept_pairs a JOIN problems p ON p.id = a.problem JOIN rationales c ON c.id = a.chosen JOIN rationales d ON d.id = a.rejected
ORDER BY p.source, a.problem, a.id
"""


def _sft(store: Store, options: ExportOptions) -> Iterator[BaseModel]:
    feedback = store.rows(_FEEDBACK)
    for row in store.rows(_SFT):
        answer = row["answer"] if row["answer"] is not None else row["stated"]
        whole = SftRow(
            messages=[*_prompt(row, options), _reply(row["text"], answer, options)],
            task="rationale",
            weight=1 - options.feedback_weight if feedback else 1.0,
            record_id=row["id"],
            problem_id=row["problem"],
            unit=row["unit"],
            teacher=row["teacher"],
            call_id=row["call"],
            answer=answer,
            hinted=row["hinted"],
            scores=_as_json(row["scores"]),
            source=row["source"],
        )
        if options.stages == "one":
            yield whole
            continue
        first = [*_prompt(row, options), Message(role="assistant", content=row["text"])]
        second = [*_prompt(row, options, f"\n\nReasoning:\n{row['text']}"), _reply("", answer, options)]
        yield whole.model_copy(update={"messages": first})
        if answer is not None:
            yield whole.model_copy(update={"messages": second, "task": "answer"})

    for row in feedback:
        said = [row["explanation"], *([f"It should have been: {row['correction']}"] if row["correction"] else [])]
        yield SftRow(
            messages=[*_prompt(row, options, _wrong(row)), Message(role="assistant", content="\n".join(said))],
            task="feedback",
            weight=options.feedback_weight,
            record_id=row["id"],
            problem_id=row["problem"],
            unit=row["unit"],
            teacher=row["critic"],
            call_id=row["call"],
            answer=row["answer"],
            hinted=True,
            scores=_as_json(row["scores"]),
            source=row["source"],
        )


def _wrong(row: dict[str, Any]) -> str:
    """What the task `feedback` adds to the question: question, wrong answer and gold answer are its input, arXiv:2410.03663."""
    return (
        f"\n\nA wrong solution:\n{row['text']}\nThe answer is {row['stated']}.\n\n"
        f"The right answer is {row['answer']}. What is wrong in the solution?"
    )


def _kto(store: Store, options: ExportOptions) -> Iterator[BaseModel]:
    for row in store.rows(_KTO):
        yield KtoRow(
            prompt=_prompt(row, options),
            completion=[_reply(row["text"], row["stated"], options)],
            label=row["kept"],
            record_id=row["id"],
            problem_id=row["problem"],
            unit=row["unit"],
            teacher=row["teacher"],
            scores=_as_json(row["scores"]),
            source=row["source"],
        )


def _judge(store: Store, options: ExportOptions) -> Iterator[BaseModel]:  # noqa: ARG001  # the conversation is as it was
    for row in store.rows(_JUDGE):
        yield JudgeRow(
            messages=[
                *(Message(**m) for m in orjson.loads(row["messages"])),
                Message(role="assistant", content=row["reply"]),
            ],
            value=row["value"],
            record_id=row["id"],
            target_id=row["target"],
            unit=row["unit"],
            reviewer=row["reviewer"],
            author=row["author"],
            correct=row["correct"],
            source=row["source"],
        )


def _twins(store: Store, options: ExportOptions) -> Iterator[BaseModel]:
    derived = store.rows(_DERIVED)
    kept = {row["parent"] for row in derived}
    both = [
        *(("original", r) for r in store.rows(_ORIGINALS) if r["id"] in kept),
        *(("counterfactual", r) for r in derived),
    ]
    for kind, row in both:
        yield TwinRow(
            prompt=_prompt(row, options),
            answer=row["answer"],
            kind=kind,
            problem_id=row["id"],
            unit=row["unit"],
            source=row["source"],
        )


def _contrast(store: Store, options: ExportOptions) -> Iterator[BaseModel]:
    analyses: dict[str, dict[str, Any]] = {}
    for row in store.rows(_ANALYSES):
        analyses.setdefault(row["problem"], row)
    originals = {row["id"]: row for row in store.rows(_ORIGINALS)}
    for derived in store.rows(_DERIVED):
        original = originals.get(derived["parent"])
        if original is None or original["id"] not in analyses or derived["id"] not in analyses:
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


def _side(problem: dict[str, Any], rationale: dict[str, Any], options: ExportOptions) -> ContrastSide:
    spans, place = {}, 0
    for i, option in enumerate(orjson.loads(rationale["parts"])["options"]):
        letter = chr(ord("A") + i)
        begin = rationale["text"].index(f"\n{letter}) {option['analysis']}", place) + len(f"\n{letter}) ")
        place = begin + len(option["analysis"])
        spans[letter] = [begin, place]
    return ContrastSide(
        prompt=_prompt(problem, options),
        text=rationale["text"],
        answer=problem["answer"],
        spans=spans,
        problem_id=problem["id"],
        rationale_id=rationale["id"],
    )


def _dpo(store: Store, options: ExportOptions) -> Iterator[BaseModel]:
    for row in store.rows(_DPO):
        yield DpoRow(
            prompt=_prompt(row, options),
            # Both sides state their own answer: the loser must be seen to lose.
            chosen=[_reply(row["chosen_text"], row["chosen_answer"], options)],
            rejected=[_reply(row["rejected_text"], row["rejected_answer"], options)],
            record_id=row["id"],
            problem_id=row["problem"],
            unit=row["unit"],
            chosen_id=row["chosen"],
            rejected_id=row["rejected"],
            reason=row["reason"],
            margin=row["margin"],
            first_differing_step=row["first_differing_step"],
            length_difference=row["length_difference"],
            chosen_teacher=row["chosen_teacher"],
            rejected_teacher=row["rejected_teacher"],
            source=row["source"],
        )


def _prompt(row: dict[str, Any], options: ExportOptions, more: str = "") -> list[Message]:
    choices = "".join(f"\n{chr(ord('A') + i)}) {text}" for i, text in enumerate(row["choices"] or ()))
    context = f"{row['context']}\n\n" if row["context"] else ""
    if row["rubric"]:  # then the question is the task, the context the answer to be marked
        context, more = "", f"\n\nAnswer to be marked:\n{row['context']}\n\n{_scheme(row)}{more}"
    end = " ###" if options.style == "delimiter" else ""
    question = Message(role="user", content=f"{context}{row['question']}{choices}{more}{end}")
    return [Message(role="system", content=options.system), question] if options.system else [question]


def _scheme(row: dict[str, Any]) -> str:
    rubric = row["rubric"] if isinstance(row["rubric"], dict) else orjson.loads(row["rubric"])
    elements = rubric.get("elements") or row["evidence"] or []
    asked = [f"- {e if isinstance(e, str) else e['question']}" for e in elements]
    marks = [f"{mark}: {meaning}" for mark, meaning in sorted(rubric.get("marks", {}).items())]
    return "\n".join(["Mark it by these questions:", *asked, *(["The marks:", *marks] if marks else [])])


def _reply(text: str, answer: str | None, options: ExportOptions) -> Message:
    if options.style == "delimiter":
        return Message(role="assistant", content=f"{text} --> {answer} END")
    ending = f"The answer is {answer}." if answer is not None else ""
    return Message(role="assistant", content="\n".join(part for part in (text, ending) if part))


_WRITERS: dict[str, Callable[[Store, ExportOptions], Iterator[BaseModel]]] = {
    "sft": _sft,
    "dpo": _dpo,
    "kto": _kto,
    "judge": _judge,
    "contrast": _contrast,
    "twins": _twins,
}


def _as_json(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value or {}).decode()
