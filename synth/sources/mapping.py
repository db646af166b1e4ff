"""From a row to a problem."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from shlex import quote
from typing import Any, get_args

import orjson
from pydantic import ValidationError

from synth.errors import InputError
from synth.reach import Reach
from synth.records import AnswerKind, Problem, Reward
from synth.sources.constraints import read_constraints
from synth.sources.json_values import NotJson, Written, parse_json
from synth.sources.program_tests import read_tests
from synth.sources.row_media import all_media
from synth.verify import infer_kind, kind_of

__all__ = ["FIELDS", "choose_mapping", "to_problem"]

FIELDS: dict[str, tuple[str, ...]] = {
    "question": ("question", "problem", "prompt", "query"),
    "answer": ("answer", "gold", "target", "correct", "answerKey"),
    "answer_index": ("answer_index",),
    "answer_number": ("answer_number",),
    "choices": ("choices", "options"),
    "context": ("context", "passage"),
    "reference_solution": ("reference_solution", "solution", "rationale"),
    "answer_kind": ("answer_kind",),
    "evidence": ("evidence",),
    "rubric": ("rubric",),
    "images": ("images", "image"),
    "audio": ("audio",),
    "media": ("media",),
    "constraints": ("constraints",),
    "begun": ("begun",),
    "stage": ("stage",),
    "reward": ("reward_function",),  # a column `reward` is a number in most data sets
    "tests": ("tests", "test_list"),
    "entry_point": ("entry_point",),
}
"""Fields of a problem that rows can give, each with the names of columns taken for it (in any case) unless a mapping says
otherwise. `answer_index` counts from 0, `answer_number` from 1; `entry_point` is the function that the tests call."""

_LETTERED = re.compile(r"\A\s*\(?([A-Za-z])[).:]\s*(.*)\Z", re.DOTALL)
_MARK = "####"
_MMLU_CHOICES = 4


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
                f"a problem has no field {name!r}", fix=f"fields: {', '.join(FIELDS)}; write --map field=column"
            )
        if column not in columns:
            raise InputError(f"the input has no column {column!r}", fix=f"its columns: {have}")
    free = [c for c in columns if c not in given.values()]
    exactly, anyhow = {c: c for c in free}, {c.casefold(): c for c in reversed(free)}
    found = {
        name: next((c for n in names if (c := exactly.get(n) or anyhow.get(n.casefold())) is not None), None)
        for name, names in FIELDS.items()
    }
    mapping = {**{k: v for k, v in found.items() if v is not None}, **given}
    if "answer" not in given and ("answer_index" in mapping or "answer_number" in mapping):
        mapping.pop("answer", None)
    if "tests" not in mapping and "entry_point" in mapping and "test" in free:
        mapping["tests"] = "test"  # HumanEval; elsewhere `test` may say which split a row is of
    if "question" not in mapping:
        meant = _meant(columns)
        raise InputError(
            f"no column gives the question; its columns: {have}",
            fix=f"name it, such as: --map {quote(f'question={meant}')}" if meant else "name it: --map question=COLUMN",
        )
    return mapping


def _meant(columns: Sequence[str]) -> str | None:
    """The column that is most likely the question."""
    words = ("question", "problem", "prompt", "query", "instruction", "input", "quiz", "puzzle", "text", "ask", "task")
    return next((c for word in words for c in columns if word in c.casefold()), None)


def to_problem(
    row: Mapping[str, Any],
    mapping: Mapping[str, str],
    source: str,
    needs: frozenset[str],
    media: Reach,
) -> Problem:
    """The problem a row describes.

    Args:
        row: the row.
        mapping: field to column.
        source: where the row stands, for the record.
        needs: fields the pipeline cannot do without.
        media: where its images and sounds may lie.

    Raises:
        InputError: the row does not describe one; says why in words.
    """
    got = {name: row.get(column) for name, column in mapping.items()}
    question = got.get("question")
    if isinstance(question, Mapping) and "stem" in question:  # CommonsenseQA, OpenBookQA, ARC as first published
        got.setdefault("choices", question.get("choices"))
        row = {**row, **{k: v for k, v in question.items() if k not in {"stem", "choices", *row}}}
        question = question["stem"]
    if question is None:
        raise InputError(f"{mapping['question']!r} is missing")
    if not isinstance(question, str):
        raise InputError(f"{mapping['question']!r} is a {type(question).__name__}, not text")
    if not question.strip():
        raise InputError(f"{mapping['question']!r} is empty")
    choices, labels = _choices(got.get("choices"))
    answer, solution = _answer(got, choices, labels, row), got.get("reference_solution")
    if (
        answer is None
        and isinstance(solution, str)
        and not {"answer", "answer_index", "answer_number"} & mapping.keys()
    ):
        answer = _final(solution)  # MATH: the answer is in the box of the solution
    if answer is not None and _MARK in answer:  # GSM8K and its kin: worked solution, ####, answer
        head, _, answer = answer.rpartition(_MARK)
        answer = answer.strip()
        solution = solution if isinstance(solution, str) else head.strip()
    kind = got.get("answer_kind")
    if kind is not None and kind not in get_args(AnswerKind):
        raise InputError(f"answer_kind is {kind!r}, not one of {', '.join(get_args(AnswerKind))}")
    if choices and answer is not None and kind in {None, "choice"}:
        answer, kind = _letter(answer, choices, labels), "choice"
    if answer is not None and kind is None:
        kind = infer_kind(answer, choices)
    elif answer is not None and kind is not None:
        answer = _fitting(answer, kind, choices)
    context, evidence = got.get("context"), got.get("evidence")
    fields: dict[str, Any] = {  # given only where there is something: each takes time, and most are empty in every row
        "context": str(context).strip() if context not in (None, "") else None,
        "choices": choices,
        "answer": answer,
        "answer_kind": kind,
        "reference_solution": solution if isinstance(solution, str) and solution.strip() else None,
        "evidence": tuple(map(str, evidence)) if isinstance(evidence, list) else (),
        "rubric": got.get("rubric"),
        "media": all_media(got, media),
        "constraints": read_constraints(got.get("constraints"), _plain),
        "begun": _begun(got.get("begun"), mapping),
        "stage": _stage(got.get("stage"), mapping),
        "reward": _reward(got.get("reward")),
        "tests": read_tests(got.get("tests"), got.get("entry_point")),
    }
    used = {column for name, column in mapping.items() if name != "stage" or fields["stage"] is not None}
    problem = Problem.root(
        source=source,
        question=question.strip(),
        meta={str(k): _plain(v) for k, v in row.items() if k not in used},
        **{name: value for name, value in fields.items() if value is not None and value != ()},
    )
    for name in sorted(needs):
        if not getattr(problem, name) and not (name == "answer" and problem.tests):
            column = mapping.get(name)
            raise InputError(
                f"{column!r} is missing, and the pipeline needs the {name}"
                if column
                else f"no column gives the {name}, which the pipeline needs (--map {name}=COLUMN)"
            )
    return problem


def _begun(value: Any, mapping: Mapping[str, str]) -> str | None:
    """The beginning of a reply, as it stands in the row."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{mapping['begun']!r} is to be the text with which a reply begins, and is {value!r:.60}")
    return value


def _stage(value: Any, mapping: Mapping[str, str]) -> int | None:
    """A position in a curriculum. A column that is only called `stage` and holds something else stays one of the other columns."""
    if type(value) is int and value >= 0:
        return value
    if value is not None and mapping["stage"].casefold() != "stage":
        raise InputError(f"{mapping['stage']!r} is to be a whole number from 0, and is {value!r:.60}")
    return None


def _answer(
    got: Mapping[str, Any], choices: Sequence[str], labels: Sequence[str], row: Mapping[str, Any]
) -> str | None:
    for name, first in (("answer_index", 0), ("answer_number", 1)):
        if (index := got.get(name)) is not None:
            return _place(name, index, first, choices)
    answer = got.get("answer")
    if answer is None or answer == "" or answer != answer:  # noqa: PLR0124 - not a number: missing
        return None
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, int) and choices and not labels:
        return _by_number(answer, choices, row)
    if isinstance(answer, (str, int, float, Decimal)):
        return str(answer).strip()
    if isinstance(answer, (date, time)):
        return answer.isoformat()
    if isinstance(answer, (list, dict)) and _names_values(got.get("answer_kind")):
        return orjson.dumps(_plain(answer)).decode()
    raise InputError(f"the answer is a {type(answer).__name__}, not text or a number")


def _names_values(kind: Any) -> bool:
    """Whether answers of a kind can be lists or objects."""
    return kind in get_args(AnswerKind) and not kind_of(kind).inferred


def _fitting(answer: str, kind: AnswerKind, choices: Sequence[str]) -> str:
    """A gold answer of a declared kind, in the form in which records hold such.

    Raises:
        InputError: it is none of that kind.
    """
    of = kind_of(kind)
    if (why := of.unfit(answer, choices)) is not None:
        raise InputError(f"the answer {answer[:80]!r} does not fit answer_kind {kind!r}: {why}")
    return of.canonical(answer)


def _place(name: str, index: Any, first: int, choices: Sequence[str]) -> str:
    """The letter of a choice by its place, which counts from `first`."""
    try:
        place = int(index) - first
    except (TypeError, ValueError, OverflowError):
        place = -1
    if not 0 <= place < len(choices):
        raise InputError(f"{name} is {index!r}, and there are {len(choices)} choices (counted from {first})")
    return chr(ord("A") + place)


def _by_number(answer: int, choices: Sequence[str], row: Mapping[str, Any]) -> str:
    """The choice that a JSON number without labels names, where that is beyond doubt: as text, or as MMLU counts.

    Raises:
        InputError: it could be a text, an index from 0, or a number from 1.
    """
    if "subject" in row and len(choices) == _MMLU_CHOICES and 0 <= answer < _MMLU_CHOICES:
        return chr(ord("A") + answer)
    if str(answer) in choices and not 0 <= answer <= len(choices):
        return str(answer)
    could = [
        *(["the text of a choice"] if str(answer) in choices else []),
        *(["an index from 0 (--map answer_index=COLUMN)"] if 0 <= answer < len(choices) else []),
        *(["a number from 1 (--map answer_number=COLUMN)"] if 1 <= answer <= len(choices) else []),
    ]
    said = (
        f"could be {', or '.join(could)}" if could else f"is none of the {len(choices)} choices, nor the place of one"
    )
    raise InputError(f"the answer {answer} {said}")


def _final(solution: str) -> str | None:
    """The answer that a worked solution ends in: behind `####`, or in its last box."""
    if _MARK in solution:
        return solution.rpartition(_MARK)[2].strip() or None
    start = max(solution.rfind("\\boxed"), solution.rfind("\\fbox"))
    if start < 0:
        return None
    rest = solution[start:].partition("box" if solution.startswith("\\fbox", start) else "boxed")[2]
    if not rest.startswith("{"):
        return rest.split("$")[0].strip().rstrip(".") or None  # \boxed 5
    depth = 0
    for at, sign in enumerate(rest):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return rest[1:at].strip() or None
    return None


def _reward(value: Any) -> Reward | None:
    """What rewards completions: a name, or an object with `name` and `args`, also as JSON in a cell of CSV."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = (
                parse_json(value.encode("utf-8", "surrogatepass"))
                if value.lstrip().startswith("{")
                else {"name": value}
            )
        except NotJson as error:
            raise InputError(f"the reward is no JSON object: {error}") from None
    try:
        return Reward.model_validate(_plain(value))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"the reward{f', {place}' if place else ''}: {first['msg']}") from None


def _choices(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The options, and the labels that the row gives them: none, or as many."""
    if isinstance(value, str):  # a list in a cell of CSV
        try:
            parsed = parse_json(value.encode("utf-8", "surrogatepass"))
        except NotJson:
            parsed = value
        value = parsed if isinstance(parsed, (list, dict)) else value
    if value is None or value == "":
        return (), ()
    labels: list[Any] = []
    if isinstance(value, dict):  # {"text": [...], "label": [...]} or {"A": ..., "B": ...}
        texts = value.get("text")
        if isinstance(texts, list):
            labels = value["label"] if isinstance(value.get("label"), list) else []
            value = texts
        else:
            labels = sorted(value)
            value = [value[k] for k in labels]
    if not isinstance(value, list):
        raise InputError(f"the choices are a {type(value).__name__}, not a list")
    if value and all(isinstance(c, dict) and "text" in c for c in value):
        labels = [c["label"] for c in value if c.get("label") is not None]
        value = [c["text"] for c in value]
    if not all(isinstance(t, (str, int, float, Decimal)) for t in value):
        raise InputError("the choices are not all text")
    plain = [str(t).strip() for t in value]
    lettered = [_LETTERED.match(t) for t in plain]
    if all(m is not None and m[1].upper() == chr(ord("A") + i) for i, m in enumerate(lettered)):  # "A)32400"
        plain = [m[2].strip() for m in lettered if m is not None]
    if any(not t for t in plain):
        raise InputError("one of the choices is empty")
    if len(set(plain)) < len(plain):
        twice = Counter(plain).most_common(1)[0][0]
        raise InputError(f"the choice {twice!r} is given twice")
    if len(plain) == 1:
        raise InputError("there is only one choice")
    named = [str(label).strip() for label in labels]
    if named and (len(named) != len(plain) or len({n.casefold() for n in named}) < len(named)):
        raise InputError(f"the labels of the choices are {', '.join(named)}: not one for each of {len(plain)} choices")
    return tuple(plain), tuple(named)


def _letter(answer: str, choices: Sequence[str], labels: Sequence[str] = ()) -> str:
    """The letter of the right option, given by the label that the row gives it, as a letter, or as its text.

    Raises:
        InputError: it is none of the options; or it is the letter of one and the text of another.
    """
    letters = [chr(ord("A") + i) for i in range(len(choices))]
    bare = answer.strip().strip("().").casefold()
    named = [label.casefold() for label in labels or letters]
    by_label = letters[named.index(bare)] if bare in named else None
    lowered = [c.casefold() for c in choices]
    by_text = (
        letters[choices.index(answer)]
        if answer in choices
        else letters[lowered.index(answer.casefold())]
        if lowered.count(answer.casefold()) == 1
        else None
    )
    if by_label is not None and by_text not in {None, by_label} and not labels:
        raise InputError(
            f"the answer {answer!r} is the letter of the choice {choices[letters.index(by_label)]!r} and the text of another:"
            " give its place (--map answer_index=COLUMN counts from 0)"
        )
    if (found := by_label or by_text) is not None:
        return found
    raise InputError(
        f"the answer {answer!r} is none of the choices {(labels or letters)[0]}–{(labels or letters)[-1]}, nor the text of one"
        " (for an index from 0: --map answer_index=COLUMN, for a number from 1: --map answer_number=COLUMN)"
    )


def _plain(value: Any) -> Any:
    """A value as JSON has it, with all its digits; Parquet knows more kinds."""
    if isinstance(value, Written):
        return value.as_json()
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)  # readers of JSON make a double of it
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value)
