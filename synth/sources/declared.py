"""From a row to records, by a declared mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, get_args

from synth.errors import InputError, UserError
from synth.prompts import Expression
from synth.reach import Reach
from synth.records import Author, Critique, Pair, Part, Problem, Rationale, Score, UnitRecord, content_id
from synth.sources.formats import FUNCTIONS
from synth.sources.mapping import to_problem
from synth.sources.mapping_files import Columns, CritiqueMap, Declared, PairMap, RationaleMap, ScoreMap
from synth.texts import split_thought
from synth.verify import FoundAnswer, compare_answers, find_answer

__all__ = ["STEP", "read_row", "reference_of", "said_by"]

STEP = "input"
"""The step that records of a source belong to."""

RIGHT_FROM = 0.5
"""The value of the score `correct` from which on its label is `right`."""

_Row = Mapping[str, Any]


def read_row(
    row: _Row, columns: Sequence[str], by: Declared, source: str, needs: frozenset[str], media: Reach
) -> tuple[Problem, list[UnitRecord]] | None:
    """The problem of a row, and what was written about it; None where the row is none of those the mapping reads.

    Records of equal content have equal ids, in any file and order; of several equal ones in one row each
    is one of its own.

    Args:
        row: the row.
        columns: all columns of the input; what a row lacks of them is null.
        by: the mapping.
        source: where the row stands.
        needs: fields the pipeline cannot do without.
        media: where its images and sounds may lie.

    Raises:
        InputError: the row does not fit; says where in the mapping and why.
    """
    seen = {**dict.fromkeys(columns), **row, **FUNCTIONS, "row": Columns(row), "line": int(source.rpartition(":")[2])}
    if by.where is not None and not _value(by.where, seen, "where"):
        return None
    fields = {name: _value(expression, seen, f"problem.{name}") for name, expression in by.problem.items()}
    fields |= {name: row.get(name) for name in by.meta}
    problem = to_problem(fields, {name: name for name in by.problem}, source, needs, media)
    reader = _Reader(problem, seen)
    for i, one in enumerate(by.rationales):
        reader.rationales(one, f"rationales[{i}]")
    for i, pair in enumerate(by.pairs):
        reader.pair(pair, f"pairs[{i}]")
    return problem, reader.records


def reference_of(problem: Problem, row: _Row, mapping: Mapping[str, str]) -> tuple[UnitRecord, ...]:
    """The worked solution that a row gives of its problem, as a rationale, with the statement of its answer; none if it has none.

    Args:
        problem: the problem of the row.
        row: the row.
        mapping: field to column.
    """
    if problem.reference_solution is None:
        return ()
    given = row.get(mapping.get("reference_solution", ""))
    whole = row.get(mapping.get("answer", ""))  # GSM8K has solution and answer in one column
    text = given if isinstance(given, str) and given.strip() else str(whole)
    said = said_by(text, "the solution")
    stated, span = _stated(said.response, problem)
    made = Rationale.make(
        unit=problem.id,
        step=STEP,
        because=[problem.id, "reference", None, said.thought, said.response, (), stated],
        problem=problem.id,
        author="reference",
        thought=said.thought,
        thought_kind="raw" if said.thought is not None else None,
        response=said.response,
        answer_span=span,
        answer=stated if stated is not None or said.thought is not None else problem.answer,
    )
    return (made,)


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
            said = Said(None, "\n".join(steps))
        else:
            assert by.text is not None
            said = said_by(_value(by.text, seen, f"{place}.text"), f"{place}.text")
        if by.thought is not None and (thought := _value(by.thought, seen, f"{place}.thought")) is not None:
            said = said.after(thought, f"{place}.thought")
        if not said.response.strip() and said.thought is None:
            raise InputError(f"{place}.text is empty")
        stated, span = _stated(said.response, self.problem)
        if by.answer is not None:
            answer = _value(by.answer, seen, f"{place}.answer")
            given_answer = None if answer is None else str(answer).strip() or None
            stated, span = given_answer, span if given_answer == stated else None
        author = _value(by.author, seen, f"{place}.author")
        if author not in get_args(Author):
            raise InputError(f"{place}.author is {_shown(author)}, not one of {', '.join(get_args(Author))}")
        model = _optional(by.model, seen, f"{place}.model")
        made = Rationale.make(
            unit=self.problem.id,
            step=STEP,
            because=self._id([self.problem.id, author, model, said.thought, said.response, steps, stated]),
            problem=self.problem.id,
            author=author,
            model=model,
            thought=said.thought,
            thought_kind="raw" if said.thought is not None else None,
            response=said.response,
            answer_span=span,
            steps=steps,
            segmenter="given/1" if steps else None,
            answer=stated,
        )
        self.records.append(made)
        self._named[by.name] = made
        for i, score in enumerate(by.scores):
            self._scores(score, made.id, seen, f"{place}.scores[{i}]", len(steps))
        if by.checked:
            self._check(made)
        for i, critique in enumerate(by.critiques):
            self._critique(critique, made, seen, f"{place}.critiques[{i}]")

    def _check(self, made: Rationale) -> None:
        """Compare the answer of a rationale with that of the problem, where both have one."""
        problem = self.problem
        if problem.answer is None or made.answer is None:
            return
        verdict = compare_answers(made.answer, problem.answer, kind=problem.compared_as, choices=problem.choices)
        self._score(made.id, "correct", float(verdict.label == "right"), verdict.label, verdict.method, verdict.detail)

    def _score(
        self,
        target: str,
        name: str,
        value: float | None,
        label: str | None,
        judge: str,
        reason: str | None = None,
        index: int | None = None,
        because: str | None = None,
    ) -> None:
        self.records.append(
            Score.make(
                unit=self.problem.id,
                step=STEP,
                because=self._id([target, name, judge, index, value, label, *([because] if because else [])]),
                target=target,
                part=_step(index),
                name=name,
                value=value,
                label=label,
                judge=judge,
                reason=reason,
            )
        )

    def _scores(self, by: ScoreMap, target: str, seen: _Row, place: str, steps: int) -> None:
        if by.when is not None and not _value(by.when, seen, f"{place}.when"):
            return
        judge = _optional(by.judge, seen, f"{place}.judge") or "unknown"
        reason = _optional(by.reason, seen, f"{place}.reason")
        for index, value, label in self._verdicts(by, seen, place, steps):
            if by.name == "correct" and index is None and label is None and value is not None:
                label = "right" if value >= RIGHT_FROM else "wrong"  # noqa: PLW2901
            self._score(target, by.name, value, label, judge, reason, index)

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
                part=_step(None if index is None else int(index)),
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
        sides = [(r.thought, r.response, r.steps, r.answer) for r in (chosen, rejected)]
        if sides[0] == sides[1]:
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
            length_difference=len(chosen.reasoning) - len(rejected.reasoning),
        )
        self.records.append(made)
        for side, value, label in ((chosen, 1.0, "chosen"), (rejected, 0.0, "rejected")):
            self._score(side.id, "preference", value, label, made.reason, because=made.id)
        for i, score in enumerate(by.scores):
            self._scores(score, made.id, self.seen, f"{place}.scores[{i}]", 0)


class Said(NamedTuple):
    """What an author wrote, with the thought apart."""

    thought: str | None
    response: str

    def after(self, thought: Any, place: str) -> Said:
        """The same with a thought that stood elsewhere; of one that is in the response too, once."""
        if not isinstance(thought, str):
            raise InputError(f"{place} is {_shown(thought)}, not text")
        split = split_thought(thought)
        parts = [split.thought, split.response.strip() and split.response] if split.thought is not None else [thought]
        parts += [self.thought] if self.thought is not None and self.thought not in parts else []
        both = "\n\n".join(part for part in parts if part and part.strip())
        return Said(both or None, self.response)


def said_by(text: Any, place: str) -> Said:
    """A text with the thought that it begins with set apart; all of a thought that does not end is thought.

    Raises:
        InputError: it is not text, or empty.
    """
    text = _text(text, place)
    split = split_thought(text)
    return Said(None, text) if split.thought is None and split.finished else Said(split.thought, split.response)


def _stated(response: str, problem: Problem) -> FoundAnswer:
    """The answer that a response states; a short reply to a question that nobody knows an answer to is no statement of one."""
    found = find_answer(response, kind=problem.compared_as, choices=problem.choices)
    nothing_known = problem.answer is None and not problem.choices
    if nothing_known and found.span is not None and response[slice(*found.span)].strip() == response.strip():
        return FoundAnswer(None, None)
    return found


def _value(source: str, seen: _Row, place: str) -> Any:
    try:
        return Expression(source)(seen)
    except TypeError as error:
        raise InputError(f"{place}: the expression {source!r} fails: {error}") from error
    except UserError as error:
        raise InputError(f"{place}: {error.what}", fix=error.fix) from error


def _step(index: int | None) -> Part | None:
    return None if index is None else Part(kind="step", index=index)


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
