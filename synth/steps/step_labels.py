"""`step_labels`: labels of steps by a rule over their values."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from synth.errors import StepError, UserError
from synth.measures import wilson
from synth.models import Model
from synth.prompts import Expression
from synth.records import Part, Rationale, Rejection, Score, UnitRecord
from synth.steps import step_rules
from synth.steps.make import Expr
from synth.steps.step import ScoreName, Step
from synth.steps.step_rules import Band, Found, Value
from synth.steps.unit import Unit

__all__ = ["Interval", "StepLabels"]

Rule = Literal["above", "ratio", "gain", "siblings", "broadcast", "consensus"]

_USED: Mapping[str, frozenset[str]] = {
    "above": frozenset({"threshold", "unsure"}),
    "ratio": frozenset({"threshold", "unsure", "start", "after_zero"}),
    "gain": frozenset({"threshold", "unsure", "start", "alpha", "best_of"}),
    "siblings": frozenset({"threshold", "unsure", "siblings", "scaled"}),
    "broadcast": frozenset({"threshold", "unsure", "broadcast"}),
    "consensus": frozenset({"on_disagreement", "up_to"}),
}
"""The options of each rule, beside those of all."""
_OF_RULES = frozenset[str]().union(*_USED.values())
_RIGHT = {"right": 1.0, "wrong": 0.0, "unsure": None}

Prefix = tuple[str, ...]
"""The id of a problem, and the steps up to one, each with single blanks: what two samples that begin alike share."""


class Interval(BaseModel):
    """An interval of confidence, Wilson's: a step is unsure where the rule says one thing at its one end and another at the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Its level."""
    samples: Annotated[int, Field(ge=1)] | ScoreName | None = None
    """How many rollouts each value rests on: a number, or the score on steps that holds it. With `broadcast: shared_prefixes` they are counted."""


class StepLabels(Step):
    """Label each step right, wrong or unsure, by a rule over values that it has. No model is asked, and the values stay.

    The label is a score on the step: 1 and `right`, 0 and `wrong`, no value and `unsure`; its reason has the numbers. A step whose value
    is missing is unsure. Rules:

    - `above`: the value is above `threshold` (default 0: some rollout was right; arXiv:2312.08935).
    - `ratio`: the value is at least `threshold` (0.8) of the value of the step before (arXiv:2504.00891, arXiv:2508.19229).
    - `gain`: the value with its weighted gain for the best of several attempts is above `threshold` (0; arXiv:2508.19229).
    - `siblings`: the value is above the mean of the steps that could stand in its place (arXiv:2501.01478); equal ones are unsure.
    - `broadcast`: the outcome of the whole solution on each step (arXiv:2211.14275, arXiv:2311.09724), or its mean over the samples that
      begin with the same steps, which is the Monte-Carlo value of that beginning.
    - `consensus`: several scores say the same (arXiv:2504.00891).
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["step_labels"] = "step_labels"
    rule: Rule
    """The rule."""
    values: ScoreName | tuple[ScoreName, ...] | None = None
    """The score on steps that is labelled, `step_value` if not given; of `broadcast` the score of the rationale, `correct` if not given; of
    `consensus` two or more scores on steps, above 0.5 right and below it wrong."""
    score: ScoreName = "step_correct"
    """The name of the labels."""
    number: ScoreName | None = None
    """The name of a second score on steps: the number that the rule compares (share, gain, difference). By default `step_advantage` of
    `siblings` and `step_value` of `broadcast: shared_prefixes`; the others then write none."""
    threshold: float | None = None
    """What the number is compared with; each rule has its default. Of `broadcast` 0.5, over shared prefixes 0."""
    unsure: Interval | tuple[float, float] | None = None
    """Which steps are unsure. `[0.2, 0.4]`: those whose number lies there; the threshold lies there too. `{interval: 0.95, samples: 8}`: those
    of which so many rollouts do not decide. Without it none are but those without a value."""
    start: Expr | None = None
    """For `ratio` and `gain`: the value before the first step, an expression such as `0.5` or `problem_score.pass_rate`; it counts as exact.
    Without it the first step has nothing before it: it is right where its value is above 0."""
    after_zero: Literal["wrong", "unsure", "above"] = "wrong"
    """For `ratio`: what a step is that follows a value of 0. `wrong`, and so are all after it (arXiv:2504.00891); `unsure`; or `above`: right
    where its value is above 0 (arXiv:2508.19229)."""
    alpha: float = 1.0
    """For `gain`: the weight of the gain."""
    best_of: Annotated[int, Field(ge=1)] = 4
    """For `gain`: of how many attempts the best counts."""
    siblings: Literal["prefix", "depth"] = "prefix"
    """For `siblings`: the steps that follow the same steps, or all at the same depth. Equal ones count once, with the mean of their values."""
    scaled: bool = False
    """For `siblings`: whether the difference is divided by the standard deviation of the siblings."""
    broadcast: Literal["rationale", "shared_prefixes"] = "rationale"
    """For `broadcast`: each rationale's own outcome, or the mean over all that begin with the same steps."""
    on_disagreement: Literal["unsure", "wrong", "reject"] = "unsure"
    """For `consensus`: what a step is of which two scores contradict each other; `reject` also rejects the rationale."""
    up_to: Literal["first_error", "all"] = "first_error"
    """For `consensus`: whether scores that contradict each other count after the first step that all call wrong; there the step is unsure."""
    after_first_error: Literal["keep", "wrong", "none"] = "keep"
    """What steps are after the first wrong one: what the rule says; `wrong`; or without a label, as people leave them."""

    def gives_types(self) -> tuple[type[UnitRecord], ...]:
        return (Score, Rejection) if self.on_disagreement == "reject" else (Score,)

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,) if self._number is None else (self.score, self._number)

    def reads_scores(self) -> Mapping[str, tuple[str, ...]]:
        counted = self.unsure.samples if isinstance(self.unsure, Interval) else None
        return {"values": self._names, "unsure": (counted,) if isinstance(counted, str) else ()}

    def expressions(self) -> Mapping[str, str]:
        return {} if self.start is None else {"start": self.start}

    def problems_with(
        self,
        models: Mapping[str, Sequence[Model]],  # noqa: ARG002
        authors: Sequence[Model],  # noqa: ARG002
    ) -> Iterable[tuple[str, str, str]]:
        for option in sorted(self.model_fields_set & _OF_RULES - _USED[self.rule]):
            users = [rule for rule, used in _USED.items() if option in used]
            yield option, f"the rule {self.rule} has no {option}", f"leave it out, or take {' or '.join(users)}"
        if self.rule == "consensus":
            if len(set(self._names)) < 2:
                yield "values", "a consensus is of two or more scores", "values: [step_value_label, step_judged]"
            if self.number is not None:
                yield "number", "a consensus compares no number", "leave number out"
        elif len(self._names) != 1:
            yield "values", f"the rule {self.rule} is over one score", "name one, or take rule: consensus"
        if self._number == self.score:
            yield "number", f"{self.score} is the name of the labels too", "give it another name"
        if self.rule == "ratio" and self._threshold <= 0:
            yield "threshold", "with a ratio of 0 a step that cannot be right would pass", "above 0, or rule: above"
        yield from self._problems_with_band()

    def _problems_with_band(self) -> Iterator[tuple[str, str, str]]:
        band = self.unsure
        if isinstance(band, Interval):
            counted = self.rule == "broadcast" and self.broadcast == "shared_prefixes"
            if self.rule == "siblings" or (self.rule == "broadcast" and not counted):
                yield "unsure", f"the rule {self.rule} has no interval", "unsure: [LOW, HIGH], or leave it out"
            elif counted and band.samples is not None:
                yield "unsure", "the samples of shared prefixes are counted", "leave samples out"
            elif not counted and self.rule != "consensus" and band.samples is None:
                yield "unsure", "how many rollouts a value rests on is missing", "unsure: {interval: 0.95, samples: 8}"
        elif band is not None and self.rule != "consensus" and not band[0] <= self._threshold <= band[1]:
            what = f"the threshold {self._threshold:g} is not from {band[0]:g} to {band[1]:g}"
            yield "unsure", what, "unsure: [LOW, HIGH] holds the threshold"

    @property
    def _names(self) -> tuple[str, ...]:
        if self.values is None:
            return ("correct",) if self.rule == "broadcast" else ("step_value",)
        return (self.values,) if isinstance(self.values, str) else self.values

    @property
    def _number(self) -> str | None:
        if self.number is None and self.rule == "siblings":
            return "step_advantage"
        return "step_value" if self.number is None and self._shared else self.number

    @property
    def _shared(self) -> bool:
        return self.rule == "broadcast" and self.broadcast == "shared_prefixes"

    @property
    def _threshold(self) -> float:
        if self.threshold is not None:
            return self.threshold
        return {"ratio": 0.8, "broadcast": 0.0 if self._shared else 0.5}.get(self.rule, 0.0)

    @property
    def _band(self) -> Band:
        return Band(*self.unsure) if isinstance(self.unsure, tuple) else Band()

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        if self.rule == "consensus":
            for record in records:
                labels, against = self._by_consensus(record, unit)
                made += self._scores(record, labels)
                if against is not None and self.on_disagreement == "reject":
                    made.append(self.reject(record, f"{' and '.join(self._names)} agree on each step", against))
            return made
        if self.rule == "siblings":
            found = self._by_siblings(records, unit)
        elif self.rule == "broadcast":
            found = self._by_outcome(records, unit)
        else:
            found = [self._by_values(record, unit) for record in records]
        for record, labels in zip(records, found, strict=True):
            made += self._scores(record, labels)
        return made

    def _by_values(self, record: Rationale, unit: Unit) -> list[Found]:
        values, threshold, (name,) = self._estimates(record, unit), self._threshold, self._names
        if self.rule == "above":
            return step_rules.above(values, threshold, self._band, name)
        start = self._start(record, unit)
        if self.rule == "ratio":
            return step_rules.ratio(values, threshold, self._band, name, start=start, after_zero=self.after_zero)
        return step_rules.gain(values, threshold, self._band, name, start=start, alpha=self.alpha, best_of=self.best_of)

    def _estimates(self, record: Rationale, unit: Unit) -> list[Value | None]:
        """The values of the steps, with their intervals where `unsure` asks for them."""
        (name,) = self._names
        values = self._read(record, name, unit)
        if self.rule in {"ratio", "gain"} or isinstance(self.unsure, Interval):
            for index, value in enumerate(values):
                if value is not None and not 0 <= value <= 1:
                    what = f"{name} is {value:g}, and the rule {self.rule} is over shares, from 0 to 1"
                    raise UserError(what, where=self._place(record, index), fix="bring it to 0…1 by a step `score`")
        if not isinstance(self.unsure, Interval):
            return [None if v is None else Value.exact(v) for v in values]
        counted = self.unsure.samples
        counts = self._read(record, counted, unit) if isinstance(counted, str) else [counted] * len(values)
        made: list[Value | None] = []
        for index, (value, n) in enumerate(zip(values, counts, strict=True)):
            if value is None or (n is None and isinstance(counted, str)):  # not counted: the outcome itself
                made.append(None if value is None else Value.exact(value))
                continue
            if not n:
                made.append(None)
                continue
            if n < 1 or n != int(n):
                what = f"{counted} is {n:g}, and is to count samples"
                raise UserError(what, where=self._place(record, index), fix="name a score that holds whole numbers")
            made.append(Value(value, *wilson(value * int(n), int(n), self.unsure.interval), int(n)))
        return made

    def _start(self, record: Rationale, unit: Unit) -> float | None:
        if self.start is None:
            return None
        value = Expression(self.start).value(unit.variables(record), f"step {self.name}, {record.id}")
        if value is None:
            return None
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            what = f"start: {self.start} is {value!r}, and is to be a share, from 0 to 1"
            raise UserError(what, where=f"step {self.name}, {record.id}", fix="name a score from 0 to 1")
        return float(value)

    def _read(self, record: Rationale, name: str, unit: Unit) -> list[float | None]:
        """The values of a score on the steps, in order; None where one is missing.

        Raises:
            StepError: the score is on a step that there is not.
        """
        found = unit.step_scores(record, name)
        beyond = max(found, default=-1)
        if beyond >= len(record.steps):
            what = f"the score {name} is on step {beyond + 1}, and the rationale has {len(record.steps)} steps"
            raise StepError(what, where=self._place(record, None), fix="score the steps that it has, from index 0")
        return [found[i].value if i in found else None for i in range(len(record.steps))]

    def _by_siblings(self, records: Sequence[Rationale], unit: Unit) -> list[list[Found]]:
        (name,) = self._names
        values = [self._read(record, name, unit) for record in records]
        nodes: dict[Prefix, list[float]] = {}
        for record, own in zip(records, values, strict=True):
            for prefix, value in zip(_prefixes(record), own, strict=True):
                if value is not None:
                    nodes.setdefault(prefix, []).append(value)
        groups: dict[Any, list[float]] = {}
        for prefix, several in nodes.items():
            groups.setdefault(self._place_in_tree(prefix), []).append(statistics.fmean(several))
        found: list[list[Found]] = []
        for record, own in zip(records, values, strict=True):
            labels: list[Found] = []
            for prefix, value in zip(_prefixes(record), own, strict=True):
                if value is None:
                    labels.append(Found("unsure", None, f"{name} is missing"))
                    continue
                here, group = statistics.fmean(nodes[prefix]), groups[self._place_in_tree(prefix)]
                number = step_rules.relative(here, group, scaled=self.scaled)
                labels.append(self._relative(name, here, number, len(group) - 1))
            found.append(labels)
        return found

    def _place_in_tree(self, prefix: Prefix) -> Any:
        return prefix[:-1] if self.siblings == "prefix" else (prefix[0], len(prefix))

    def _relative(self, name: str, value: float, number: float | None, siblings: int) -> Found:
        if number is None:
            return Found("unsure", None, f"{name} is {value:.3g}, and the step has no sibling")
        label = self._band.label(number, self._threshold, number, number)
        if abs(number - self._threshold) < step_rules.CLOSE:
            label = "unsure"
        with_how_many = f"its mean with {siblings} sibling{'s' if siblings > 1 else ''}"
        return Found(
            label, number, f"{name} is {value:.3g}, {number:+.3g} from {with_how_many}, to be above {self._threshold:g}"
        )

    def _by_outcome(self, records: Sequence[Rationale], unit: Unit) -> list[list[Found]]:
        (name,) = self._names
        outcomes = [None if (s := unit.score(record, name)) is None else s.value for record in records]
        if not self._shared:
            return [
                step_rules.above(
                    [None if o is None else Value.exact(o)] * len(r.steps), self._threshold, self._band, name
                )
                for r, o in zip(records, outcomes, strict=True)
            ]
        known: dict[Prefix, list[float]] = {}
        for record, outcome in zip(records, outcomes, strict=True):
            if outcome is not None:
                for prefix in _prefixes(record):
                    known.setdefault(prefix, []).append(outcome)
        return [
            step_rules.above(
                [self._mean(known.get(prefix)) for prefix in _prefixes(record)],
                self._threshold,
                self._band,
                f"the mean of {name} after these steps",
            )
            for record in records
        ]

    def _mean(self, outcomes: Sequence[float] | None) -> Value | None:
        if not outcomes:
            return None
        mean, n = statistics.fmean(outcomes), len(outcomes)
        if not isinstance(self.unsure, Interval):
            return Value(mean, mean, mean, n)
        return Value(mean, *wilson(mean * n, n, self.unsure.interval), n)

    def _by_consensus(self, record: Rationale, unit: Unit) -> tuple[list[Found], dict[str, Any] | None]:
        """The labels, and the first step on which scores contradict each other, of those that count."""
        said = [self._read(record, name, unit) for name in self._names]
        labels: list[Found] = []
        first: dict[str, Any] | None = None
        over = False
        for index, values in enumerate(zip(*said, strict=True)):
            named = dict(zip(self._names, values, strict=True))
            label, contradicts, reason = step_rules.agreement(named)
            if contradicts and not over:
                first = first or {"step": index, **named}
                label = "wrong" if self.on_disagreement == "wrong" else label
            over = over or (label == "wrong" and self.up_to == "first_error")
            labels.append(Found(label, None, reason))
        return labels, first

    def _scores(self, record: Rationale, labels: Sequence[Found]) -> Iterator[Score]:
        wrong = next((index for index, one in enumerate(labels) if one.label == "wrong"), len(labels))
        for index, one in enumerate(labels):
            if self._number is not None:
                yield self._score(record, self._number, index, one.number, None, one.reason)
            if index <= wrong or self.after_first_error == "keep":
                yield self._score(record, self.score, index, _RIGHT[one.label], one.label, f"{self.rule}: {one.reason}")
            elif self.after_first_error == "wrong":
                reason = f"{self.rule}: step {wrong + 1} is wrong"
                yield self._score(record, self.score, index, 0.0, "wrong", reason)

    def _score(
        self, record: Rationale, name: str, index: int, value: float | None, label: str | None, reason: str
    ) -> Score:
        return self.derive(
            Score,
            [record],
            key=[name, index],
            target=record.id,
            part=Part(kind="step", index=index),
            name=name,
            value=value,
            label=label,
            judge=f"{self.name}/{self.version}",
            reason=reason,
        )

    def _place(self, record: Rationale, index: int | None) -> str:
        return f"step {self.name}, {record.id}" + ("" if index is None else f", step {index + 1}")


def _prefixes(record: Rationale) -> list[Prefix]:
    """For each step the beginning of the rationale that ends with it, regardless of white space."""
    steps = [" ".join(step.split()) for step in record.steps]
    return [(record.problem, *steps[: index + 1]) for index in range(len(steps))]
