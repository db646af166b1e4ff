"""Write kept records as training rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from synth.errors import UserError
from synth.export.contracts import CONTRACTS, DpoRow, Message, SftRow
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


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    rows: int


def export_run(run: Path | str, contract: str, out: Path | str, options: ExportOptions | None = None) -> Exported:
    """Write the kept records of a run as rows of a contract, into `out/CONTRACT.jsonl` (or `.parquet`).

    Raises:
        UserError: there is no such contract, or nothing to export.
    """
    options = options or ExportOptions()
    if contract not in CONTRACTS:
        raise UserError(f"there is no contract {contract!r}", remedy=f"contracts: {', '.join(CONTRACTS)}")
    with open_store(run) as store:
        rows = list(_sft(store, options) if contract == "sft" else _dpo(store, options))
    if not rows:
        makes = {"sft": "rationalize", "dpo": "pair"}[contract]
        raise UserError(
            f"there is nothing to export as {contract}: no kept record of that kind",
            where=str(run),
            remedy=f"is there a step {makes!r} in the pipeline? synth status {run} shows where the records went",
        )
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{contract}.{options.file_format}"
    draft = path.with_suffix(path.suffix + ".new")
    if options.file_format == "jsonl":
        with draft.open("wb") as file:
            for row in rows:
                file.write(row.model_dump_json().encode() + b"\n")
    else:
        import polars as pl

        pl.DataFrame([row.model_dump() for row in rows], infer_schema_length=None).write_parquet(draft)
    draft.replace(path)
    return Exported(path, len(rows))


_SFT = """
SELECT r.id, r.problem, r.unit, r.teacher, r.call, r.text, r.answer AS stated, r.hinted, p.question, p.context, p.choices,
  p.answer, p.answer_kind, p.source,
  (SELECT json_group_object(s.name, s.value) FROM scores s WHERE s.target = r.id AND s.step_index IS NULL) AS scores
FROM kept_rationales r JOIN problems p ON p.id = r.problem ORDER BY p.source, r.problem, r.id
"""

_DPO = """
SELECT a.*, p.question, p.context, p.choices, p.answer, p.source, c.text AS chosen_text, c.answer AS chosen_answer,
  c.teacher AS chosen_teacher, d.text AS rejected_text, d.answer AS rejected_answer, d.teacher AS rejected_teacher
FROM kept_pairs a JOIN problems p ON p.id = a.problem JOIN rationales c ON c.id = a.chosen JOIN rationales d ON d.id = a.rejected
ORDER BY p.source, a.problem, a.id
"""


def _sft(store: Store, options: ExportOptions) -> Iterator[BaseModel]:
    for row in store.rows(_SFT):
        answer = row["answer"] if row["answer"] is not None else row["stated"]
        yield SftRow(
            messages=[*_prompt(row, options), _reply(row["text"], answer, options)],
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


def _prompt(row: dict[str, Any], options: ExportOptions) -> list[Message]:
    choices = "".join(f"\n{chr(ord('A') + i)}) {text}" for i, text in enumerate(row["choices"] or ()))
    context = f"{row['context']}\n\n" if row["context"] else ""
    end = " ###" if options.style == "delimiter" else ""
    question = Message(role="user", content=f"{context}{row['question']}{choices}{end}")
    return [Message(role="system", content=options.system), question] if options.system else [question]


def _reply(text: str, answer: str | None, options: ExportOptions) -> Message:
    if options.style == "delimiter":
        return Message(role="assistant", content=f"{text} --> {answer} END")
    ending = f"The answer is {answer}." if answer is not None else ""
    return Message(role="assistant", content="\n".join(part for part in (text, ending) if part))


def _as_json(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value or {}).decode()
