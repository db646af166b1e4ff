"""`constrain`: problems that ask for more than an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from random import Random
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from synth.constraints import Composition, draw_constraints, named, question_with
from synth.models import Model
from synth.records import Problem, Reward, UnitRecord, content_id
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Constrain"]


_OWN = {"id", "unit", "step", "question", "constraints", "meta", "parent"}
"""Fields that a derived problem does not have of the one it was derived from."""


def _known(name: str) -> str:
    """A name of constraints.

    Raises:
        ValueError: there is no such id or group.
    """
    named([name])
    return name


Named = Annotated[str, AfterValidator(_known)]
"""An id of the catalogue, or a group: what stands before the colon."""


class ConstraintReward(BaseModel):
    """How completions are rewarded for complying; the options of `synth.rewards.constraints`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: Annotated[float, Field(gt=0, le=100)] = 1.0
    """What complying with all constraints is worth."""
    table: bool = False
    """2 for all constraints, -2 for none, else the share (arXiv:2506.01413)."""
    think: bool = False
    """Whether a reply without a thought earns as little as one that complies with nothing."""


class Constrain(Step):
    """Derive problems that ask for constraints of the catalogue beside the answer, such as a length, a form or words that may not be used.

    Constraints of one problem never contradict each other, and a text that complies with all of them was made and checked for each. The question says them
    in words; `constraints` of the new problem has them for checkers. With `levels: all` the problem of each level has one constraint more
    than the one before (`meta.level` from 1, `stage` from 0), as in arXiv:2508.02150. Compositions are those of
    arXiv:2506.01413. The answer stays what it is; the reward of a problem without one is `constraints`.
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Problem,)
    fills: ClassVar[frozenset[str]] = frozenset({"constraints"})

    step: Literal["constrain"] = "constrain"
    count: Annotated[int, Field(ge=1, le=12)] = 3
    """Constraints of a problem; with `levels: all` of the highest level. Fewer where no more fit together."""
    levels: Literal["last", "all"] = "last"
    """Whether there is one problem with all constraints, or one for each number of constraints from 1."""
    copies: Annotated[int, Field(ge=1, le=100)] = 1
    """How often constraints are drawn for each problem."""
    kinds: tuple[Named, ...] = ()
    """The ids (`punctuation:no_comma`) or groups (`keywords`) that are drawn from. Without it all of the catalogue that fit any question; those
    that need a library which is not installed are then left out."""
    without: tuple[Named, ...] = ()
    """Ids or groups that are not drawn."""
    on: Literal["response", "reasoning", "both"] = "response"
    """What has to comply: the visible reply, the reasoning, or each of them."""
    composition: Annotated[tuple[Composition, ...], Field(min_length=1)] = ("and",)
    """How constraints are composed, in turn: `and`, each for the whole; `chain`, parts one after the other with constraints of their own;
    `selection`, one or another by a condition on the question."""
    soft: Annotated[int, Field(ge=0)] = 0
    """Every so many-th constraint is one that only a judge can decide, such as a tone; 0 for none."""
    reward: ConstraintReward | None = None
    """Options of the reward `constraints`, which is then that of every problem it makes. Without it that of problems without an answer alone."""
    seed: int = 0
    """Another number gives other constraints."""

    def problems_with(
        self,
        models: Mapping[str, Sequence[Model]],  # noqa: ARG002
        authors: Sequence[Model],  # noqa: ARG002
    ) -> Iterable[tuple[str, str, str]]:
        for name in self.kinds:
            for kind in named([name]):
                if name == kind.id and (lacking := [one for one in kind.libraries if find_spec(one) is None]):
                    what = f"{kind.id} needs {' and '.join(lacking)}, not installed"
                    yield "kinds", what, "pip install 'synth-rationales[curate]'"

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        left_out = {kind.id for kind in (named(self.without) if self.without else ())}
        kinds = [
            kind
            for kind in named(self.kinds)
            if kind.id not in left_out and all(find_spec(one) is not None for one in kind.libraries)
        ]
        return [
            made for problem in records for copy in range(self.copies) for made in self._derived(problem, copy, kinds)
        ]

    def _derived(self, problem: Problem, copy: int, kinds: Sequence[type]) -> Iterable[Problem]:
        if not kinds:
            return
        drawn = draw_constraints(
            problem.question,
            self.count,
            Random(content_id([self.seed, copy, problem.id])),
            kinds=kinds,
            given=problem.constraints,
            on=self.on,
            composition=self.composition,
            soft=self.soft,
        )
        for level in range(1 if self.levels == "all" else len(drawn), len(drawn) + 1):
            added = drawn[:level]
            if not added:
                continue
            fields = {name: getattr(problem, name) for name in Problem.model_fields if name not in _OWN}
            if self.reward is not None or (problem.answer is None and problem.reward is None):
                args = {} if self.reward is None else self.reward.model_dump(mode="json", exclude_defaults=True)
                fields["reward"] = Reward(name="constraints", args=args)
            if self.levels == "all":
                fields["stage"] = level - 1
            yield self.derive(
                Problem,
                [problem],
                key=[copy, level],
                **fields,
                question=question_with(problem.question, added),
                constraints=(*problem.constraints, *added),
                meta={**problem.meta, "level": level},
                parent=problem.id,
            )
