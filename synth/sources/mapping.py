"""From a row to a problem."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args

from synth.errors import InputError
from synth.media import check_media
from synth.records import AnswerKind, Media, Problem
from synth.verify import infer_kind

__all__ = ["FIELDS", "choose_mapping", "to_problem"]

FIELDS: dict[str, tuple[str, ...]] = {
    "question": ("question", "problem", "prompt", "query"),
    "answer": ("answer", "gold", "target", "correct", "answerKey"),
    "answer_index": ("answer_index",),
    "choices": ("choices", "options"),
    "context": ("context", "passage"),
    "reference_solution": ("reference_solution", "solution", "rationale"),
    "answer_kind": ("answer_kind",),
    "evidence": ("evidence",),
    "rubric": ("rubric",),
    "images": ("images", "image"),
    "audio": ("audio",),
    "media": ("media",),
}
"""Fields of a problem that rows can give, each with the names of columns taken for it unless a mapping says otherwise."""

_LETTERED = re.compile(r"\A\s*\(?([A-Za-z])[).:]\s*(.*)\Z", re.DOTALL)
_MARK = "####"
_MEDIA: tuple[tuple[str, Literal["image", "audio"] | None], ...] = (
    ("images", "image"),
    ("audio", "audio"),
    ("media", None),
)
"""Fields that give images and sounds; of what kind `media` are, each says."""


def choose_mapping(columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Which column gives each field.

    Args:
        columns: the columns of the input.
        given: the user's own mapping, field to column.

    Raises:
        InputError: it names an unknown field or column, or no column gives the question.
    """
    have = ", ".join(columns)
    for name, column in given.items():
        if name not in FIELDS:
            raise InputError(
                f"a problem has no field {name!r}", remedy=f"fields: {', '.join(FIELDS)}; write --map field=column"
            )
        if column not in columns:
            raise InputError(f"the input has no column {column!r}", remedy=f"its columns: {have}")
    found = {
        name: next((c for c in names if c in columns and c not in given.values()), None)
        for name, names in FIELDS.items()
    }
    mapping = {**{k: v for k, v in found.items() if v is not None}, **given}
    if "answer_index" in mapping and "answer" not in given:
        mapping.pop("answer", None)
    if "question" not in mapping:
        raise InputError("no column gives the question", remedy=f"name it: --map question=COLUMN; the columns: {have}")
    return mapping


def to_problem(
    row: Mapping[str, Any],
    mapping: Mapping[str, str],
    source: str,
    needs: frozenset[str],
    folder: Path = Path(),
) -> Problem:
    """The problem a row describes.

    Args:
        row: the row.
        mapping: field to column.
        source: where the row stands, for the record.
        needs: fields the pipeline cannot do without.
        folder: where relative paths of images and sounds begin.

    Raises:
        InputError: the row does not describe one; says why in words.
    """
    got = {name: row.get(column) for name, column in mapping.items()}
    question = got.get("question")
    if question is None:
        raise InputError(f"{mapping['question']!r} is missing")
    if not isinstance(question, str):
        raise InputError(f"{mapping['question']!r} is a {type(question).__name__}, not text")
    if not question.strip():
        raise InputError(f"{mapping['question']!r} is empty")
    choices = _choices(got.get("choices"))
    answer, solution = _answer(got, choices), got.get("reference_solution")
    if answer is not None and _MARK in answer:  # GSM8K and its kin: worked solution, ####, answer
        head, _, answer = answer.rpartition(_MARK)
        answer = answer.strip()
        solution = solution if isinstance(solution, str) else head.strip()
    kind = got.get("answer_kind")
    if kind is not None and kind not in get_args(AnswerKind):
        raise InputError(f"answer_kind is {kind!r}, not one of {', '.join(get_args(AnswerKind))}")
    if choices and answer is not None and kind in {None, "choice"}:
        answer, kind = _letter(answer, choices), "choice"
    if answer is not None and kind is None:
        kind = infer_kind(answer, choices)
    context, evidence = got.get("context"), got.get("evidence")
    fields: dict[str, Any] = {  # given only where there is something: each takes time, and most are empty in every row
        "context": str(context).strip() if context not in (None, "") else None,
        "choices": choices,
        "answer": answer,
        "answer_kind": kind,
        "reference_solution": solution if isinstance(solution, str) and solution.strip() else None,
        "evidence": tuple(map(str, evidence)) if isinstance(evidence, list) else (),
        "rubric": got.get("rubric"),
        "media": tuple(
            one for name, kind in _MEDIA if got.get(name) is not None for one in _media(kind, got[name], folder)
        ),
    }
    used = mapping.values()
    problem = Problem.root(
        source=source,
        question=question.strip(),
        meta={k: _plain(v) for k, v in row.items() if k not in used},
        **{name: value for name, value in fields.items() if value is not None and value != ()},
    )
    for name in sorted(needs):
        if not getattr(problem, name):
            column = mapping.get(name)
            raise InputError(
                f"{column!r} is missing, and the pipeline needs the {name}"
                if column
                else f"no column gives the {name}, which the pipeline needs (--map {name}=COLUMN)"
            )
    return problem


def _answer(got: Mapping[str, Any], choices: Sequence[str]) -> str | None:
    index = got.get("answer_index")
    if index is not None:
        try:
            return chr(ord("A") + range(len(choices))[int(index)]) if int(index) >= 0 else _no_choice(index, choices)
        except (IndexError, ValueError):
            return _no_choice(index, choices)
    answer = got.get("answer")
    if answer is None or answer == "":
        return None
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, (str, int, float)):
        return str(answer).strip()
    raise InputError(f"the answer is a {type(answer).__name__}, not text or a number")


def _media(kind: Literal["image", "audio"] | None, value: Any, folder: Path) -> Iterator[Media]:
    """Images and sounds: paths or URLs, or objects with `kind` and `uri`; one, or a list of them."""
    what = kind or "media"
    if not isinstance(value, (list, str, dict, NoneType)):
        raise InputError(f"the {what} is a {type(value).__name__}, not the path of a file or a URL")
    for one in value if isinstance(value, list) else [value] if value else ():
        uri = one.get("uri") if isinstance(one, dict) else one
        if not isinstance(uri, str):
            raise InputError(f"the {what} is a {type(one).__name__}, not the path of a file or a URL")
        said = one.get("kind") if isinstance(one, dict) else None
        transcript = one.get("transcript") if isinstance(one, dict) else None
        given = Media(
            kind=kind or _kind_of(uri, said), uri=uri, transcript=str(transcript) if transcript is not None else None
        )
        file = check_media(given, folder)
        if file is not None:
            digest = file.reference.partition(";")[0].removeprefix("sha256:")
            given = given.model_copy(update={"uri": str(file.path.resolve()), "sha256": digest})
        yield given


def _kind_of(uri: str, said: Any) -> Literal["image", "audio"]:
    """What a file or URL of a mixed list is: as the row says, else as its name does."""
    if said is None:
        said = (mimetypes.guess_type(uri.partition("?")[0])[0] or "").partition("/")[0]
    if said not in {"image", "audio"}:
        raise InputError(f"whether {uri!r} is an image or a sound cannot be told: give {{kind: image, uri: …}}")
    return "image" if said == "image" else "audio"


def _no_choice(index: Any, choices: Sequence[str]) -> str:
    raise InputError(f"answer_index is {index!r}, and there are {len(choices)} choices (counted from 0)")


def _choices(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, dict):  # {"text": [...], "label": [...]} or {"A": ..., "B": ...}
        value = value["text"] if isinstance(value.get("text"), list) else [value[k] for k in sorted(value)]
    if not isinstance(value, list):
        raise InputError(f"the choices are a {type(value).__name__}, not a list")
    texts = [str(c["text"]) if isinstance(c, dict) and "text" in c else c for c in value]
    if not all(isinstance(t, (str, int, float)) for t in texts):
        raise InputError("the choices are not all text")
    plain = [str(t).strip() for t in texts]
    lettered = [_LETTERED.match(t) for t in plain]
    if all(m is not None and m[1].upper() == chr(ord("A") + i) for i, m in enumerate(lettered)):  # "A)32400"
        plain = [m[2].strip() for m in lettered if m is not None]
    if any(not t for t in plain):
        raise InputError("one of the choices is empty")
    if len(set(plain)) < len(plain):
        twice = next(t for t in plain if plain.count(t) > 1)
        raise InputError(f"the choice {twice!r} is given twice")
    if len(plain) == 1:
        raise InputError("there is only one choice")
    return tuple(plain)


def _letter(answer: str, choices: Sequence[str]) -> str:
    """The letter of the right option, given as a letter or as its text."""
    letters = [chr(ord("A") + i) for i in range(len(choices))]
    bare = answer.strip().strip("().").upper()
    if bare in letters:
        return bare
    if answer in choices:
        return letters[choices.index(answer)]
    folded = [c.casefold() for c in choices]
    if folded.count(answer.casefold()) == 1:
        return letters[folded.index(answer.casefold())]
    raise InputError(
        f"the answer {answer!r} is none of the choices {letters[0]}–{letters[-1]} (for an index from 0: --map answer_index=COLUMN)"
    )


def _plain(value: Any) -> Any:
    """A value as JSON has it; Parquet knows more kinds."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value)
