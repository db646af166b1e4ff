"""From a row to records, by a declared mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, get_args

from synth.errors import InputError
from synth.prompts import Expression
from synth.records import Author, Critique, Pair, Problem, Rationale, Score, UnitRecord, content_id
from synth.sources.formats import FUNCTIONS
from synth.sources.mapping import to_problem
from synth.sources.mapping_files import CritiqueMap, Declared, PairMap, RationaleMap, ScoreMap
from synth.verify import split_answer

__all__ = ["read_row"]

STEP = "input"
"""The step that records of a source belong to."""

_Row = Mapping[str, Any]


def read_row(
    row: _Row, columns: Sequence[str], by: Declared, source: str, needs: frozenset[str], folder: Path = Path()
) -> tuple[Problem, list[UnitRecord]] | None:
    """The problem of a row, and what was written about it; None where the row is none of those the mapping reads.

    Records of equal content have equal ids, in whatever file and order they stand; of several equal ones in one row each
    is one of its own.

    Args:
        row: the row.
        columns: all columns of the input; what a row lacks of them is null.
        by: the mapping.
        source: where the row stands.
        needs: fields the pipeline cannot do without.
        folder: where relative paths of images and sounds begin.

    Raises:
        InputError: the row does not fit; says where in the mapping and why.
    """
    seen = {**dict.fromkeys(columns), **row, **FUNCTIONS, "row": _Columns(row), "line": int(source.rpartition(":")[2])}
    if by.where is not None and not _value(by.where, seen, "where"):
        return None
    fields = {name: _value(expression, seen, f"problem.{name}") for name, expression in by.problem.items()}
    fields |= {name: row.get(name) for name in by.meta}
    problem = to_problem(fields, {name: name for name in by.problem}, source, needs, folder)
    reader = _Reader(problem, seen)
    for i, one in enumerate(by.rationales):
        reader.rationales(one, f"rationales[{i}]")
    for i, pair in enumerate(by.pairs):
        reader.pair(pair, f"pairs[{i}]")
    return problem, reader.records


class _Columns(dict[str, Any]):
    """A row by the names of its columns; one it does not have is null."""

    def __missing__(self, name: str) -> None:
        return None


class _Reader:
    """Reads the records of one row."""

    def __init__(self, problem: Problem, seen: _Row) -> None:
        self.problem = problem
        self.seen = seen
        self.records: list[UnitRecord] = []
        self._ids: set[str] = set()
        self._named: dict[str, Rationale] = {}

    def _id(self, because: Sequence[Any]) -> list[Any]:
        """What makes an id; of equal records the second and further ones are counted."""
        for again in count():
            made = [*because, *([again] if again else [])]
            if (digest := content_id(made)) not in self._ids:
                self._ids.add(digest)
                return made
        raise AssertionError

    def rationales(self, by: RationaleMap, place: str) -> None:
        if by.each is None:
            self._rationale(by, self.seen, place)
            return
        items = _value(by.each, self.seen, f"{place}.each")
        if not isinstance(items, (list, tuple)):
            raise InputError(f"{place}.each is a {type(items).__name__}, not a list")
        for index, item in enumerate(items):
            self._rationale(by, {**self.seen, "item": item, "index": index}, f"{place} ({index})")

    def _rationale(self, by: RationaleMap, seen: _Row, place: str) -> None:
        if by.when is not None and not _value(by.when, seen, f"{place}.when"):
            return
        steps: tuple[str, ...] = ()
        if by.steps is not None:
            given = _value(by.steps, seen, f"{place}.steps")
            if not isinstance(given, (list, tuple)) or not given:
                raise InputError(f"{place}.steps is {_shown(given)}, not a list of texts")
            steps = tuple(_text(step, f"{place}.steps[{i}]") for i, step in enumerate(given))
            text, stated = "\n".join(steps), None
            if by.answer is None:
                _, stated = split_answer(text, kind=self.problem.compared_as, choices=self.problem.choices)
        else:
            assert by.text is not None
            text, stated = _text(_value(by.text, seen, f"{place}.text"), f"{place}.text"), None
            if by.answer is None:
                text, stated = split_answer(text, kind=self.problem.compared_as, choices=self.problem.choices)
        if by.answer is not None:
            answer = _value(by.answer, seen, f"{place}.answer")
            stated = None if answer is None else str(answer).strip() or None
        author = _value(by.author, seen, f"{place}.author")
        if author not in get_args(Author):
            raise InputError(f"{place}.author is {_shown(author)}, not one of {', '.join(get_args(Author))}")
        teacher = _optional(by.teacher, seen, f"{place}.teacher")
        made = Rationale.make(
            unit=self.problem.id,
            step=STEP,
            because=self._id([self.problem.id, author, teacher, text, steps, stated]),
            problem=self.problem.id,
            author=author,
            teacher=teacher,
            text=text,
            steps=steps,
            segmenter="given/1" if steps else None,
            answer=stated,
        )
        self.records.append(made)
        self._named[by.name] = made
        for i, score in enumerate(by.scores):
            self._scores(score, made.id, seen, f"{place}.scores[{i}]", len(steps))
        for i, critique in enumerate(by.critiques):
            self._critique(critique, made, seen, f"{place}.critiques[{i}]")

    def _scores(self, by: ScoreMap, target: str, seen: _Row, place: str, steps: int) -> None:
        if by.when is not None and not _value(by.when, seen, f"{place}.when"):
            return
        judge = _optional(by.judge, seen, f"{place}.judge") or "unknown"
        reason = _optional(by.reason, seen, f"{place}.reason")
        for index, value, label in self._verdicts(by, seen, place, steps):
            because = self._id([target, by.name, judge, index, value, label])
            self.records.append(
                Score.make(
                    unit=self.problem.id,
                    step=STEP,
                    because=because,
                    target=target,
                    step_index=index,
                    name=by.name,
                    value=value,
                    label=label,
                    judge=judge,
                    reason=reason,
                )
            )

    def _verdicts(
        self, by: ScoreMap, seen: _Row, place: str, steps: int
    ) -> Iterator[tuple[int | None, float | None, str | None]]:
        if by.steps is not None:
            given = _value(by.steps, seen, f"{place}.steps")
            if given is None:
                return
            if not isinstance(given, (list, tuple)) or len(given) != steps:
                found = f"{len(given)} labels" if isinstance(given, (list, tuple)) else _shown(given)
                raise InputError(f"{place}.steps: {found} for {steps} steps")
            for index, one in enumerate(given):
                if one is not None:
                    yield index, _number(one, f"{place}.steps[{index}]"), None
        elif by.first_wrong is not None:
            first = _value(by.first_wrong, seen, f"{place}.first_wrong")
            wrong = -1 if first is None else int(_number(first, f"{place}.first_wrong"))
            if wrong >= steps:
                raise InputError(f"{place}.first_wrong is {wrong}, and there are {steps} steps (counted from 0)")
            for index in range(steps if wrong < 0 else wrong + 1):
                yield index, float(index != wrong), None
        else:
            value = None if by.value is None else _value(by.value, seen, f"{place}.value")
            label = _optional(by.label, seen, f"{place}.label")
            if value is not None or label is not None:
                yield None, None if value is None else _number(value, f"{place}.value"), label

    def _critique(self, by: CritiqueMap, on: Rationale, seen: _Row, place: str) -> None:
        if by.when is not None and not _value(by.when, seen, f"{place}.when"):
            return
        explanation = _text(_value(by.explanation, seen, f"{place}.explanation"), f"{place}.explanation")
        index = None if by.step_index is None else _value(by.step_index, seen, f"{place}.step_index")
        critic = _optional(by.critic, seen, f"{place}.critic") or "unknown"
        if index is not None and not 0 <= int(index) < max(1, len(on.steps)):
            raise InputError(f"{place}.step_index is {index}, and there are {len(on.steps)} steps (counted from 0)")
        self.records.append(
            Critique.make(
                unit=self.problem.id,
                step=STEP,
                because=self._id([on.id, critic, explanation, index]),
                target=on.id,
                step_index=None if index is None else int(index),
                mistake=_optional(by.mistake, seen, f"{place}.mistake"),
                explanation=explanation,
                correction=_optional(by.correction, seen, f"{place}.correction"),
                critic=critic,
            )
        )

    def pair(self, by: PairMap, place: str) -> None:
        if by.when is not None and not _value(by.when, self.seen, f"{place}.when"):
            return
        if by.chosen not in self._named or by.rejected not in self._named:
            raise InputError(f"{place}: the row has no {by.chosen if by.chosen not in self._named else by.rejected}")
        chosen, rejected = self._named[by.chosen], self._named[by.rejected]
        if (chosen.text, chosen.steps, chosen.answer) == (rejected.text, rejected.steps, rejected.answer):
            raise InputError(f"{place}: chosen and rejected are the same")
        margin = None if by.margin is None else _value(by.margin, self.seen, f"{place}.margin")
        differing = next(
            (i for i, (a, b) in enumerate(zip(chosen.steps, rejected.steps, strict=False)) if a != b), None
        )
        made = Pair.make(
            unit=self.problem.id,
            step=STEP,
            because=[chosen.id, rejected.id],
            problem=self.problem.id,
            chosen=chosen.id,
            rejected=rejected.id,
            reason=_optional(by.reason, self.seen, f"{place}.reason") or "preference",
            margin=None if margin is None else _number(margin, f"{place}.margin"),
            first_differing_step=differing,
            length_difference=len(chosen.text) - len(rejected.text),
        )
        self.records.append(made)
        for i, score in enumerate(by.scores):
            self._scores(score, made.id, self.seen, f"{place}.scores[{i}]", 0)


def _value(source: str, seen: _Row, place: str) -> Any:
    try:
        return Expression(source)(seen)
    except Exception as error:
        raise InputError(f"{place}: {source!r} fails: {error}") from error


def _optional(source: str | None, seen: _Row, place: str) -> str | None:
    value = None if source is None else _value(source, seen, place)
    return None if value is None else str(value).strip() or None


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place} is {_shown(value)}, not text")
    if not value.strip():
        raise InputError(f"{place} is empty")
    return value


def _number(value: Any, place: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{place} is {_shown(value)}, not a number") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
