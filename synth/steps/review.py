"""`review`: models judge each other's rationales, or explanations of mistakes."""

from __future__ import annotations

import asyncio
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import orjson
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from synth.corpus.step import path_of
from synth.errors import UserError
from synth.files import read_file
from synth.models import Capability, Completion, Model, Reply, Request, Task
from synth.prompts import Prompt
from synth.records import Critique, Problem, Rationale, Score, UnitRecord, record_fields
from synth.steps.generate import Generate
from synth.steps.step import ModelStep, ScoreName
from synth.steps.unit import Unit
from synth.steps.yes_or_no import YES_OR_NO, probability_of_yes
from synth.verify import compare_answers

__all__ = ["RaterCalibration", "Review", "Verdict", "judge_reviews"]

LOWEST, HIGHEST = 1, 5
"""The scale of spoken scores, arXiv:2410.03663."""

_RATING = re.compile(r"\[?\s*+(\d++)\s*+\]?(?:\s*+(?:/|out of)\s*+5)?\.?")


def _rating(value: Any) -> Any:
    """`4`, `[4]`, `4/5` and `4 out of 5` are 4; anything else is not a number."""
    if isinstance(value, str) and (found := _RATING.fullmatch(value.strip())):
        return int(found[1])
    return value


_TYPES: dict[str, type[UnitRecord]] = {k.alias: k for k in (Problem, Rationale, Critique)}


class _Rated(Reply):
    """What a reviewer is to write."""

    reasons: str = ""
    score: Annotated[int, BeforeValidator(_rating)]


class RaterCalibration(NamedTuple):
    """How one reviewer scores: mean and standard deviation of its valid scores."""

    mean: float
    std: float


class Verdict(NamedTuple):
    """What the reviews of one record come to."""

    value: float | None
    """The aggregate; None where too few reviews are valid."""
    label: Literal["accepted", "rejected", "too_few"]


_AGGREGATES: dict[str, Callable[[Iterable[float]], float]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
}


def judge_reviews(
    scores: Mapping[str, float | None],
    *,
    threshold: float,
    strict: bool = True,
    min_valid: int = 1,
    aggregate: Literal["mean", "median", "min"] = "mean",
    calibration: Mapping[str, RaterCalibration] | None = None,
) -> Verdict:
    """What the reviews of one record come to.

    Args:
        scores: by reviewer; None for a review that is not valid.
        threshold: where acceptance begins.
        strict: whether the aggregate must lie above the threshold; else it may equal it.
        min_valid: how many valid reviews there must be.
        aggregate: how the valid ones are put together.
        calibration: how each reviewer scores otherwise. Each score then counts by its distance from its reviewer's
            mean, in standard deviations, brought back to the scale by the means over all reviewers.
    """
    valid = {reviewer: score for reviewer, score in scores.items() if score is not None}
    if len(valid) < max(1, min_valid):
        return Verdict(None, "too_few")
    if calibration is not None:
        mean = statistics.fmean(c.mean for c in calibration.values())
        std = statistics.fmean(c.std for c in calibration.values())
        valid = {r: mean + std * (s - calibration[r].mean) / (calibration[r].std or 1.0) for r, s in valid.items()}
    value = float(_AGGREGATES[aggregate](valid.values()))
    return Verdict(value, "accepted" if value > threshold or (value == threshold and not strict) else "rejected")


class _Opinion(NamedTuple):
    """One review."""

    value: float | None
    label: str | None
    reason: str | None
    call: str | None
    key: str


class Review(ModelStep):
    """Reviewers judge records one by one, without seeing who wrote them; no model reviews its own work.

    Each review is a score `NAME_single` with its reviewer as judge; what they come to is one score `NAME` with the label
    `accepted`, `rejected` or `too_few` (valid reviews). Three modes: a spoken `score` from 1 to 5 (the peer review of
    arXiv:2410.03663; one out of range counts as not given), the `probability` of a yes, and `resolve`: the reviewer
    solves the problem without seeing the rationale, and the share of its samples that reach the same answer is the
    score. With small models the first is noise and the last works.
    """

    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["review"] = "review"
    by: str | tuple[str, ...] = "reviewers"
    """The role, or roles, that review."""
    target: Literal["problem", "rationale", "critique"] = "rationale"
    """What is reviewed; questions with a prompt that asks something of them, such as `review/safe`."""
    mode: Literal["score", "probability", "resolve"] = "score"
    """How it is judged."""
    prompt: str = "auto"
    """Name of a shipped prompt, or path of your own (`.j2`); `auto`: the shipped one of the mode."""
    show_gold: bool = True
    """Whether reviewers are shown the gold answer; never in mode `resolve`."""
    exclude_author: bool = True
    """Whether the author may not review what is his own."""
    score: ScoreName = "review"
    """Name of the score."""
    threshold: float | None = None
    """Where acceptance begins; 3 for spoken scores, 0.5 else."""
    strict: bool = True
    """Whether the aggregate must lie above the threshold; else it may equal it."""
    min_valid: Annotated[int, Field(ge=1)] = 2
    """How many reviews must be valid; where fewer may review at all, all of them."""
    aggregate: Literal["mean", "median", "min"] = "mean"
    """How the valid reviews are put together."""
    samples: Annotated[int, Field(ge=1, le=64)] = 1
    """Solutions of each reviewer in mode `resolve`."""
    calibration: str | None = None
    """A JSON file with each reviewer's mean and standard deviation, `{"gpt": {"mean": 3.9, "std": 1.6}}`: scores then
    count by their distance from it. `synth audit RUN --save-calibration FILE` writes one from a run; running again with it
    asks nothing again."""

    def takes_type(self) -> type[UnitRecord]:
        return _TYPES[self.target]

    def judges(self) -> bool:
        return self.mode != "resolve"  # where replies are solutions

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score, f"{self.score}_single")

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        if self.mode == "resolve":
            return self._solver().prompts()["prompt"]
        shown = {"problem": record_fields(Problem), "rationale": record_fields(Rationale)}
        return {**shown, "critique": None, "gold": None, "format": None}

    def load(self, option: str = "prompt") -> Prompt:
        if option == "prompt" and self.prompt == "auto":
            name = {"score": "review/score", "probability": "review/judge", "resolve": "rationale/solve"}[self.mode]
            return self.model_copy(update={"prompt": name}).load()
        return super().load(option)

    def fewest_models(self) -> int:
        return 2 if self._excludes_author() else 1

    def needs_of_models(self) -> frozenset[Capability]:
        return frozenset({"logprobs"}) if self.mode == "probability" else frozenset()

    def uses_of(self, model: Model) -> frozenset[Capability]:
        if self.mode == "resolve":
            return self._solver().uses_of(model)
        return frozenset({"json_schema"}) if self.mode == "score" else frozenset()

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        reviewers = {t.name for role in self.roles() for t in models.get(role, ())}
        for author in authors if self._excludes_author() else ():
            if reviewers and not reviewers - {author.name}:
                what = f"{author.name} is the only reviewer, and may not review what is its own"
                fix = f"bind a second model: --model {self.roles()[0]}={author.name},NAME; or exclude_author: false"
                yield "by", what, fix
        if self.mode == "resolve":
            if self.target != "rationale":
                yield "mode", f"resolve compares answers, and a {self.target} has none", "use mode: probability"
            yield from self._solver().problems_with(models, ())
        elif self.target == "problem" and self.prompt == "auto":
            what = "the shipped prompts of the modes judge solutions, and this is to judge questions"
            yield "prompt", what, "prompt: review/safe (with mode: probability), or one of your own"
        if self.calibration is not None:
            try:
                known = _rater_calibration(str(self._calibration_path()))
            except UserError as error:
                yield "calibration", error.what, error.fix or ""
            else:
                for name in sorted(reviewers - set(known)):
                    what = f"{self.calibration} does not know the reviewer {name}"
                    yield (
                        "calibration",
                        what,
                        "run once without calibration, and write it with synth audit RUN --save-calibration",
                    )

    def _excludes_author(self) -> bool:
        return self.exclude_author and self.target != "problem"

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        reviewed = [
            (record, model)
            for record in records
            for model in unit.models(self.by)
            if not (self._excludes_author() and model.name == _author(record))
        ]
        opinions = await (self._solve_anew(reviewed, unit) if self.mode == "resolve" else self._ask(reviewed, unit))
        made: list[UnitRecord] = []
        for record in records:
            mine = {t.name: o for (r, t), o in zip(reviewed, opinions, strict=True) if r.id == record.id}
            made += self._scores(record, mine)
        return made

    async def _ask(self, reviewed: Sequence[tuple[UnitRecord, Model]], unit: Unit) -> list[_Opinion | None]:
        asked = [(model, self._request(record, model, unit), record) for record, model in reviewed]
        read = _read_probability if self.mode == "probability" else _read_score
        return [None if reply is None else read(reply) for reply in await self.ask_all(asked, unit)]

    def _request(self, record: UnitRecord, model: Model, unit: Unit) -> Request:
        rationale = unit.get(record.target) if isinstance(record, Critique) else record
        problem = unit.problem_of(record)
        spoken = self.mode == "score"
        form = self.form_of_fields(model) if spoken else "text"
        shown = {
            "problem": problem,
            "rationale": None if self.target == "problem" else rationale,
            "critique": record if isinstance(record, Critique) else None,
            "gold": problem.answer_shown if self.show_gold else None,
            "format": form,
        }
        hint = problem.answer_stated if self.show_gold else None
        task = Task("review" if spoken else "judge", problem, subject=record, hint=hint, format=form)
        if spoken:
            return self.request(self.load(), shown, task, shape=_Rated)
        return self.request(self.load(), shown, task, parameters=YES_OR_NO)

    async def _solve_anew(self, reviewed: Sequence[tuple[UnitRecord, Model]], unit: Unit) -> list[_Opinion | None]:
        solver = self._solver()
        models = {t.name: t for _, t in reviewed}
        problems = {(p := unit.problem_of(r)).id: p for r, _ in reviewed}
        asked = [
            pair
            for problem in problems.values()
            for name in dict.fromkeys(t.name for r, t in reviewed if unit.problem_of(r).id == problem.id)
            for pair in solver.requests(problem, [models[name]])
        ]
        solutions = await solver.write(asked, unit)
        return await asyncio.to_thread(self._agreements, reviewed, solutions, unit)

    def _agreements(
        self, reviewed: Sequence[tuple[UnitRecord, Model]], solutions: Sequence[Rationale], unit: Unit
    ) -> list[_Opinion | None]:
        opinions: list[_Opinion | None] = []
        for record, model in reviewed:
            assert isinstance(record, Rationale)
            problem = unit.problem_of(record)
            own = [s for s in solutions if s.problem == problem.id and s.model == model.name]
            if not own:
                opinions.append(None)
                continue
            same = [s for s in own if _agree(s.answer, record.answer, problem)]
            reason = f"solved again {len(own)} times: {', '.join(s.answer or '-' for s in own)}"
            key = "+".join(s.id for s in own)
            opinions.append(_Opinion(len(same) / len(own), None, reason, own[0].call, key))
        return opinions

    def _solver(self) -> Generate:
        return Generate(
            name=self.name,
            by=self.by,
            prompt="rationale/solve" if self.prompt == "auto" else self.prompt,
            samples=self.samples,
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            max_tokens_on_truncation=self.max_tokens_on_truncation,
            iteration=self.iteration,
            folder=self.folder,
        )

    def _scores(self, record: UnitRecord, opinions: Mapping[str, _Opinion | None]) -> list[Score]:
        made = [
            self.derive(
                Score,
                [record],
                replies=[opinion.key],
                key=reviewer,
                target=record.id,
                name=f"{self.score}_single",
                value=opinion.value,
                label=opinion.label,
                judge=reviewer,
                reason=opinion.reason,
                call=opinion.call,
            )
            for reviewer, opinion in opinions.items()
            if opinion is not None
        ]
        values = {reviewer: None if o is None else o.value for reviewer, o in opinions.items()}
        threshold = self.threshold if self.threshold is not None else 3.0 if self.mode == "score" else 0.5
        verdict = judge_reviews(
            values,
            threshold=threshold,
            strict=self.strict,
            min_valid=min(self.min_valid, max(1, len(opinions))),
            aggregate=self.aggregate,
            calibration=_rater_calibration(str(self._calibration_path())) if self.calibration is not None else None,
        )
        valid = [f"{v:g}" for v in values.values() if v is not None]
        rule = f"{self.aggregate} {'>' if self.strict else '>='} {threshold:g}"
        reason = f"{len(valid)} of {len(opinions)} reviews valid: {', '.join(valid) or 'none'}; accepted if {rule}"
        return [
            *made,
            self.derive(
                Score,
                [record, *made],
                target=record.id,
                name=self.score,
                value=verdict.value,
                label=verdict.label,
                judge=f"{self.aggregate} of reviews",
                reason=reason,
            ),
        ]

    def _calibration_path(self) -> Path:
        return path_of(str(self.calibration), self.folder)


def _author(record: UnitRecord) -> str | None:
    return getattr(record, "critic" if isinstance(record, Critique) else "model", None)


def _read_score(reply: Completion) -> _Opinion:
    said: _Rated = reply.value
    if LOWEST <= said.score <= HIGHEST:
        return _Opinion(said.score, None, said.reasons or None, reply.call, reply.key)
    return _Opinion(None, "out_of_range", f"scored {said.score}: {said.reasons}", reply.call, reply.key)


def _read_probability(reply: Completion) -> _Opinion:
    value = probability_of_yes(reply)
    if value is None:
        return _Opinion(None, "unreadable", f"neither yes nor no: {reply.text[:200]}", reply.call, reply.key)
    return _Opinion(value, None, reply.text.strip(), reply.call, reply.key)


def _agree(answer: str | None, other: str | None, problem: Problem) -> bool:
    if answer is None or other is None:
        return False
    return answer == other or (
        compare_answers(answer, other, kind=problem.compared_as, choices=problem.choices).label == "right"
    )


_MOST_BYTES = 2**20
"""Of a calibration."""


@cache
def _rater_calibration(path: str) -> dict[str, RaterCalibration]:
    fix = 'write {"REVIEWER": {"mean": 3.9, "std": 1.6}}, or let synth audit RUN --save-calibration write it'
    try:
        return TypeAdapter(dict[str, RaterCalibration]).validate_python(
            {
                name: RaterCalibration(**numbers)
                for name, numbers in orjson.loads(read_file(Path(path), _MOST_BYTES)).items()
            }
        )
    except UserError as error:
        raise UserError(f"the calibration cannot be read: {error.what}", where=path, fix=fix) from error
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValidationError) as error:
        raise UserError(f"the calibration {path} is not of its form: {error}", fix=fix) from error
