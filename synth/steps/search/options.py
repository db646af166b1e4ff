"""The options of `search`, and what is wrong with some of them together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from synth.errors import UserError
from synth.models import Capability, Model
from synth.prompts import Expression
from synth.records import Problem, record_fields
from synth.steps.continuations import ValuingStep
from synth.steps.search.evaluate import EVALUATORS, evaluators_in
from synth.steps.search.policy import POLICIES

__all__ = ["OMEGA", "SearchOptions"]

OMEGA = "omega"
"""The policy that chooses solutions with a mistake, and not nodes."""

_WRITING = ("prompt", "continue_prompt", "mode", "thought", "segment", "examples", "format", "logprobs")
_OF_POLICY: Mapping[str, AbstractSet[str]] = {
    "beam": {"breadth"},
    "at_once": {"depth", "best", "uct", OMEGA},
    "c": {"uct"},
    **dict.fromkeys(("alpha", "beta", "length", "c_puct"), frozenset({OMEGA})),
    "max_searches": {"uct", OMEGA},
    **dict.fromkeys(("width", "max_depth", "max_answers", "min_value"), frozenset({"breadth", "depth", "best", "uct"})),
}
"""Options that some policies use, and which."""
_OF_SOME = frozenset(
    {
        *_OF_POLICY,
        *_WRITING,
        "root_samples",
        "samples",
        "keep",
        "judge",
        "evaluations",
        "propose_prompt",
        "evaluate_prompt",
    }
)
"""All options that some searches do not use."""

_SAMPLES = 1024
"""Samples of one question, at most."""

_DEEP, _MANY = 5, 60
"""Depth and nodes of a tree of proposals; arXiv:2305.10601 goes 4 and 3 deep."""


class SearchOptions(ValuingStep):
    """What a search is made of, and what it may spend."""

    policy: str = "breadth"
    """Which nodes are expanded next. `breadth`: level by level the `beam` best; `depth`: the best child first, and then back; `best`: the
    best anywhere; `uct`: down the tree by Q + c sqrt(ln N of the parent / N); `omega`: OmegaPRM, which takes solutions that went wrong
    and finds their first wrong step by halving."""
    expand: Literal["propose", "next_step", "rollouts"] | None = None
    """What is asked after a node. `propose`: a next step in words, with whether it ends the solution; `next_step`: one more line of the
    solution so far; `rollouts`: the rest of the solution, whose steps all become nodes. Default: `rollouts` for `uct` and `omega`, else
    `propose`."""
    evaluate: str | None = None
    """What a node is worth. `verdicts`: the mean of what judges say (sure 20, likely 1, impossible 0.001); `rollout`: the share of right
    ones among `samples` continuations; `outcome`: the mean outcome of the solutions that go through it; `none`; or an expression over
    these, `node`, `steps` and `problem`, such as `rollout + verdicts / 40`. Default: `outcome` for `uct`, `rollout` for `omega`, else `verdicts`."""
    width: Annotated[int, Field(ge=1, le=64)] = 3
    """What is asked of each model after each node that is expanded."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 8
    """Continuations by which `rollout` and `omega` value a node, of each model."""
    root_samples: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Solutions that are asked for first, from the bare question; `samples` of `omega`, `width` of `uct`, if not given."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    """Sampling temperature."""
    propose_prompt: str = "trees/propose"
    """Name of a shipped prompt, or path of your own (`.j2`), that asks for a next step."""
    evaluate_prompt: str = "trees/evaluate"
    """The same, that asks for a verdict."""
    judge: str | None = None
    """The role that gives verdicts; the one that expands if not given."""
    evaluations: Annotated[int, Field(ge=0, le=64)] = 3
    """Verdicts on each node by each judge; 0: all count the same."""
    beam: Annotated[int, Field(ge=1)] = 5
    """For `breadth`: nodes of a level that are expanded."""
    at_once: Annotated[int, Field(ge=1, le=256)] = 1
    """For the other policies: how many nodes are expanded, or solutions searched, at the same time. Another number is another search."""
    c: Annotated[float, Field(ge=0)] = math.sqrt(2)
    """For `uct`: weight of exploration."""
    alpha: Annotated[float, Field(gt=0, le=1)] = 0.5
    """For `omega`: base of the value in Q = alpha^(1 - MC) beta^(length / L)."""
    beta: Annotated[float, Field(gt=0, le=1)] = 0.9
    """For `omega`: base of the length in Q."""
    length: Annotated[int, Field(ge=1)] = 500
    """For `omega`: L, in tokens."""
    c_puct: Annotated[float, Field(ge=0)] = 0.125
    """For `omega`: weight of exploration in U = c_puct sqrt(sum of N) / (1 + N). This and the three above are those of arXiv:2406.06592."""
    min_value: float | None = None
    """A node of lower value is not expanded. One without a value comes last. Not for `omega`."""
    max_depth: Annotated[int, Field(ge=1)] | None = None
    """Steps of a path; deeper nodes are not expanded. Of proposals 5 if not given; else any number."""
    max_nodes: Annotated[int, Field(ge=1)] | None = None
    """Nodes of a tree: nothing is expanded once there are so many. Of proposals 60 if not given; else any number."""
    max_calls: Annotated[int, Field(ge=1)] | None = None
    """Requests of one search; none is made beyond it. Requests for the same node are made together or not at all."""
    max_tokens_in_all: Annotated[int, Field(ge=1)] | None = None
    """Prompt and completion tokens of one search: once so many are spent nothing more is asked."""
    max_answers: Annotated[int, Field(ge=1)] | None = None
    """Ends with an answer after which nothing is expanded; not for `omega`."""
    max_searches: Annotated[int, Field(ge=1)] = 100
    """For `uct` expansions, for `omega` solutions searched; 100 in arXiv:2406.06592."""
    keep: Literal["none", "paths", "all"] = "paths"
    """Which solutions become rationales, where models continue them: those whose steps are nodes, or all that were written."""

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, given: Any) -> Any:
        """A preset that takes another policy sets what the policy of its base had to null."""
        if not isinstance(given, dict):
            return given
        return {k: v for k, v in given.items() if v is not None or k not in _OF_SOME}

    @property
    def expander(self) -> str:
        """What is asked after a node."""
        return self.expand or ("rollouts" if self.policy in {"uct", OMEGA} else "propose")

    @property
    def evaluator(self) -> str:
        """What a node is worth: a name, or an expression."""
        given = self.evaluate or {"uct": "outcome", OMEGA: "rollout"}.get(self.policy, "verdicts")
        return "none" if given == "verdicts" and not self.evaluations else given

    @property
    def evaluators(self) -> tuple[str, ...]:
        """The evaluators it uses.

        Raises:
            UserError: `evaluate` is neither a name nor an expression.
        """
        return (self.evaluator,) if self.evaluator in EVALUATORS else evaluators_in(self.evaluator)

    @property
    def proposes(self) -> bool:
        """Whether nodes are proposed in words, and not continuations."""
        return self.expander == "propose"

    @property
    def continues(self) -> bool:
        """Whether it asks for continuations."""
        return not self.proposes or "rollout" in self._named()

    @property
    def keeps(self) -> bool:
        """Whether it makes rationales."""
        return not self.proposes and self.keep != "none"

    @property
    def value_name(self) -> str | None:
        """The name of the values of steps: `step_value` only where they are shares of right solutions; None where there are none."""
        if self.evaluator == "none":
            return None
        return "step_value" if self.evaluator in {"rollout", "outcome"} else "step_worth"

    @property
    def verifies(self) -> bool:
        """Whether it cannot go on without the verifier."""
        return self.policy == OMEGA or bool({"rollout", "outcome"} & set(self._named()))

    @property
    def depth_limit(self) -> float:
        """The most steps of a path."""
        return self.max_depth or (_DEEP if self.proposes else math.inf)

    @property
    def node_limit(self) -> float:
        """The nodes after which nothing is expanded."""
        return self.max_nodes or (_MANY if self.proposes else math.inf)

    @property
    def samples_of_root(self) -> int:
        """How many solutions of the bare question are asked for."""
        return self.root_samples or (self.samples if self.policy == OMEGA else self.width)

    def _named(self) -> tuple[str, ...]:
        try:
            return self.evaluators
        except UserError:
            return ()

    def needed(self) -> frozenset[str]:
        return super().needed() if self.verifies else self.needs

    def roles(self) -> tuple[str, ...]:
        judges = (self.judge,) if self.judge and self.evaluations and "verdicts" in self._named() else ()
        return tuple(dict.fromkeys((*super().roles(), *judges)))

    def prompts(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        shown: dict[str, frozenset[str] | None] = {"problem": record_fields(Problem), "steps": None, "format": None}
        proposing = {"propose_prompt": {**shown, "last": None}} if self.proposes else {}
        judged = bool(self.evaluations) and "verdicts" in self._named()
        judging = {"evaluate_prompt": {**shown, "answer": None}} if judged else {}
        return {**(super().prompts() if self.continues else {}), **proposing, **judging}

    def uses_of(self, model: Model) -> frozenset[Capability]:
        own = super().uses_of(model) if self.continues else frozenset[Capability]()
        return own | ({"json_schema"} if self.proposes or "verdicts" in self._named() else frozenset())

    def needs_of_models(self) -> frozenset[Capability]:
        return super().needs_of_models() if self.continues else frozenset()

    def expressions(self) -> Mapping[str, str]:
        return {} if self.evaluator in EVALUATORS else {"evaluate": self.evaluator}

    def sees(self) -> Mapping[str, frozenset[str] | None]:
        return dict.fromkeys(("outcome", "rollout", "verdicts", "node", "steps"))

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        known = (*POLICIES, OMEGA)
        if self.policy not in known:
            yield "policy", f"there is no policy {self.policy!r}", f"name one of {', '.join(known)}"
        asked = max(self.samples, self.samples_of_root) if self.policy == OMEGA else self.width
        if asked > 1 and any(self.is_greedy(m) for role in super().roles() for m in models.get(role, ())):
            yield (
                "temperature",
                f"{asked} continuations at temperature 0 are one",
                "set temperature above 0, or ask for one",
            )
        if self.policy == OMEGA and (self.expander, self.evaluator) != ("rollouts", "rollout"):
            option = "expand" if self.expander != "rollouts" else "evaluate"
            yield option, "the policy omega goes by rollouts", "leave out expand and evaluate"
        if self.expander == "rollouts" and self.policy in {"breadth", "depth", "best"}:
            what = f"rollouts make many levels at once, and {self.policy} goes by nodes"
            yield "expand", what, "expand: next_step, or policy: uct"
        yield from self._wrong_with_evaluate()
        yield from self._not_used()
        yield from self._wrong_with_numbers(models)

    def _not_used(self) -> Iterable[tuple[str, str, str]]:
        """Options that were set and that this search has no use for."""
        unused: dict[str, tuple[str, str]] = {}
        for option, policies in _OF_POLICY.items():
            own = self.policy not in {*_OF_POLICY["at_once"], "breadth"} and policies != {OMEGA}
            if self.policy not in policies and not own:
                unused[option] = f"the policy {self.policy}", f"policy: {' or '.join(sorted(policies))}"
        if self.proposes:
            unused |= dict.fromkeys(("root_samples", "keep"), ("expand: propose", "expand: next_step"))
        else:
            unused["propose_prompt"] = f"expand: {self.expander}", "expand: propose"
        if not self.continues:
            unused |= dict.fromkeys(_WRITING, ("a search without continuations", "expand: next_step"))
        named = self._named()
        valued = f"evaluate: {self.evaluator}"
        if self.policy != OMEGA and "rollout" not in named:
            unused["samples"] = valued, "evaluate: rollout"
        if self.evaluator == "none":
            unused["min_value"] = valued, "evaluate: verdicts"
        if "verdicts" not in named and (self.evaluate or self.evaluator != "none"):
            unused |= dict.fromkeys(("judge", "evaluations", "evaluate_prompt"), (valued, "evaluate: verdicts"))
        for option in sorted(self.model_fields_set & unused.keys()):
            who, other = unused[option]
            yield option, f"{who} has no {option}", f"leave it out (`{option}: null` in a preset), or {other}"

    def _wrong_with_numbers(self, models: Mapping[str, Sequence[Model]]) -> Iterable[tuple[str, str, str]]:
        of_root = self.width if self.proposes else self.samples_of_root
        first = of_root * max(1, sum(len(models.get(role, ())) for role in super().roles()))
        if self.max_calls is not None and self.max_calls < first:
            what = f"the first {first} calls are made together or not at all"
            yield "max_calls", what, f"{first} or more"
        again = self.expander == "rollouts" and self.policy != OMEGA and "rollout" in self._named()
        if again and self.samples + self.width > _SAMPLES:
            yield "samples", f"samples and width are {_SAMPLES} at most, together", "ask for fewer"

    def _wrong_with_evaluate(self) -> Iterable[tuple[str, str, str]]:
        if not self.evaluations and self.evaluator not in EVALUATORS and "verdicts" in self._named():
            yield "evaluations", "evaluate names verdicts, and none are asked for", "1 or more, or leave verdicts out"
        if self.evaluator in EVALUATORS:
            return
        fix = f"one of {', '.join(EVALUATORS)}, or an expression over them: docs/search.md"
        try:
            Expression(self.evaluator)
        except UserError:
            return  # the check of expressions reports it
        if not self.evaluators and self.evaluator.isidentifier() and self.evaluator not in {"node", "steps", "problem"}:
            yield "evaluate", f"there is no evaluator {self.evaluator!r}", fix
