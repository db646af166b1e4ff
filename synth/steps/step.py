"""What a step is: a Pydantic configuration, the record types it takes and gives, and one async method."""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, JsonValue
from pydantic.json_schema import SkipJsonSchema

from synth.errors import UserError
from synth.models import Capability, Completion, Model, Reply, Request, Task
from synth.prompts import Expression, Prompt, load_prompt
from synth.reach import Reach
from synth.records import InUnit, Problem, Rejection, UnitRecord, derive, record_fields
from synth.steps.unit import Unit

__all__ = ["ModelStep", "ScoreName", "Step"]

_compiled = lru_cache(maxsize=1024)(Expression)

R = TypeVar("R", bound=UnitRecord)

ScoreName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""The name of a score: a word that expressions and columns can be called by."""


class Step(BaseModel, ABC):
    """The base of all steps. A subclass adds `step: Literal["its_name"]`, its options, and `run`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    takes: ClassVar[type[UnitRecord]] = Problem
    """The type of record it works on."""
    gives: ClassVar[tuple[type[UnitRecord], ...]] = ()
    """The types of record it makes."""
    version: ClassVar[int] = 1
    """Raised when the same inputs would give other records; stands in their ids."""
    by_products: ClassVar[frozenset[type[UnitRecord]]] = frozenset()
    """Types of record among `gives` that later steps work on only where their `of` names this step."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """Fields of the problem without which it cannot work, such as `answer`."""
    fills: ClassVar[frozenset[str]] = frozenset()
    """Fields that the problems have which it makes, so that those of the input may lack them where a later step needs them."""
    names_steps: ClassVar[tuple[str, ...]] = ("of",)
    """The options that name earlier steps: a name, or a list of names."""

    runs_code: ClassVar[bool] = False
    """Whether it runs code that models or problems bring, or changes anything outside of the process. `synth plan` does not
    run such a step."""

    step: str
    """Which step this is."""
    name: str = ""
    """What this use of it is called in the results; the step's own name if not given."""
    of: str | tuple[str, ...] | None = None
    """The earlier step or steps whose records it works on; `"*"` for all. Default: the latest that made such records, other than as
    by-products (the continuations that `rollout` keeps)."""
    where: str | None = None
    """An expression; the step leaves alone the records for which it is not true."""
    when: str | None = None
    """An expression about the problem; where it is not true, the step does not run for this problem."""
    unless: str | None = None
    """An expression about the problem; where it is true, the step does not run for this problem. `repeat` writes its `until`
    here: a comparison with a score that is missing is not true, so the step runs."""
    enabled: Annotated[bool, Field(exclude=True)] = True
    """Whether the pipeline has this step; with `false` its options are checked, and it is removed when the pipeline is loaded."""

    def takes_type(self) -> type[UnitRecord]:
        """The type of record this use of the step works on."""
        return self.takes

    def needed(self) -> frozenset[str]:
        """Fields of the problem without which this use of it cannot work."""
        return self.needs

    def gives_types(self) -> tuple[type[UnitRecord], ...]:
        """The types of record this use of the step makes."""
        return self.gives

    def gives_scores(self) -> tuple[str, ...]:
        """Names of the scores it makes."""
        return ()

    def gives_problem_scores(self) -> tuple[str, ...]:
        """Names of the scores it makes of the problem itself, which `when` sees; by default all of a step that takes problems."""
        return self.gives_scores() if self.takes_type() is Problem else ()

    def reads_scores(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the scores that it reads by options, by option: earlier steps or the input make them. Those in expressions aside."""
        return {}

    def expressions(self) -> Mapping[str, str]:
        """Expressions about a record among its options, by option name, beside `where`."""
        return {}

    def sees(self) -> Mapping[str, frozenset[str] | None]:
        """Names that its expressions see beside those of every record, with what each has; None where any goes."""
        return {}

    def is_for(self, record: UnitRecord, unit: Unit) -> bool:
        """Whether it works on a record: what `where` says.

        Raises:
            UserError: the expression cannot be evaluated.
        """
        return self.where is None or _compiled(self.where).holds(
            unit.variables(record), f"step {self.name}, {record.id}"
        )

    def problems_with(
        self,
        models: Mapping[str, Sequence[Model]],  # noqa: ARG002
        authors: Sequence[Model],  # noqa: ARG002
    ) -> Iterable[tuple[str, str, str]]:
        """Mistakes in its options that types cannot show, as (option, what, fix).

        Args:
            models: the models that play each role.
            authors: the models that make the records it works on.
        """
        return ()

    def problems_with_sources(self, sources: Sequence[Step]) -> Iterable[tuple[str, str, str]]:  # noqa: ARG002
        """Mistakes in the steps whose records it works on, as (option, what, fix).

        Args:
            sources: those steps; the input is none of them.
        """
        return ()

    def refers_to(self) -> dict[str, tuple[str, ...]]:
        """The names of earlier steps in its options `names_steps`, by option; `"*"` and options without a value are left out."""
        given = {option: getattr(self, option) for option in self.names_steps}
        return {
            option: (value,) if isinstance(value, str) else tuple(value)
            for option, value in given.items()
            if value is not None and value != "*"
        }

    def named_by(self, option: str) -> type[UnitRecord]:  # noqa: ARG002
        """The type of record that the steps make which an option of `names_steps` names."""
        return self.takes_type()

    def check_input(self, problem: Problem) -> str | None:  # noqa: ARG002
        """Why it cannot work on a problem of the input, beyond fields it lacks; reported before any call."""
        return None

    def described(self) -> dict[str, Any]:
        """All that decides what it makes, as JSON; prompts aside."""
        return self.model_dump(mode="json") | {"version": self.version}

    def derive(
        self,
        kind: type[R],
        parents: Sequence[InUnit | str],
        *,
        replies: Sequence[str] = (),
        key: Any = None,
        **fields: Any,
    ) -> R:
        """A record that this step makes; see `synth.records.derive`."""
        return derive(kind, step=self.name, version=self.version, parents=parents, replies=replies, key=key, **fields)

    def reject(self, record: UnitRecord, rule: str, observed: JsonValue) -> Rejection:
        """The rejection of a record: the record stays, and this says why it is not kept."""
        return self.derive(
            Rejection, [record], target=record.id, target_table=record.table, rule=rule, observed=observed
        )

    @abstractmethod
    async def run(self, records: Sequence[Any], unit: Unit) -> Iterable[UnitRecord]:
        """Make new records out of live ones of type `takes`.

        A reply that does not come is no error: `unit.ask` notes a `Failure` and returns None.
        """


def _home(kind: type[Step]) -> Reach | None:
    """The files that the defaults of a step may name: those beside its Python."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Reach(Path(file).parent) if file else None


_SAMPLES_OF_AN_ITERATION = 1024
"""The most samples that a step can ask for, so that no two iterations of a `repeat` ask for the same sample."""


class ModelStep(Step):
    """A step that asks models."""

    by: str | tuple[str, ...] = "teacher"
    """The role, or roles, that answer."""
    prompt: str
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sampling temperature; the model's own if not given."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus sampling; the model's own if not given."""
    max_tokens: Annotated[int, Field(ge=1)] | None = 1024
    """Most tokens a reply may take; a reply that reaches it counts as a failure, never as a record."""
    max_tokens_on_truncation: Annotated[int, Field(ge=1)] | None = None
    """Where a reply was cut off at `max_tokens`, the same is asked once more with this limit."""
    iteration: Annotated[int, Field(ge=1, le=20)] = 1
    """Samples of its own: with another number the same prompt is asked again, instead of taking the reply on record. `repeat` sets it to the
    iteration; set it where two steps ask one model the same."""
    folder: Annotated[SkipJsonSchema[InstanceOf[Reach] | None], Field(exclude=True, repr=False)] = None
    """Set by the loader: which files the pipeline may name, beside its file."""

    def roles(self) -> tuple[str, ...]:
        """The roles it asks."""
        return (self.by,) if isinstance(self.by, str) else self.by

    def prompts(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        """Its prompts by option name, with the variables offered to them and the fields of each."""
        return {"prompt": self.prompt_variables()}

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        """The variables offered to `prompt`."""
        return {"problem": record_fields(Problem)}

    def fewest_models(self) -> int:
        """How many models its roles must have at least, all in all, for the step to make sense."""
        return 1

    def judges(self) -> bool:
        """Whether its replies are verdicts on records, each score with a call being what that reply says. Rows for training judges
        are made of them.
        """
        return False

    def needs_of_models(self) -> frozenset[Capability]:
        """What the endpoints must be able to do."""
        return frozenset()

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        """What it makes use of where a model has it, beyond what it needs."""
        return frozenset()

    @cached_property
    def loaded(self) -> dict[str, Prompt]:
        """The prompts read so far, by option."""
        return {}

    def load(self, option: str = "prompt") -> Prompt:
        """The prompt an option names; read once. A path that is the default of the option begins beside the Python of the step."""
        found = self.loaded.get(option)
        if found is None:
            reach = self.folder if option in self.model_fields_set else _home(type(self))
            found = self.loaded[option] = load_prompt(getattr(self, option), reach=reach)
        return found

    def request(
        self,
        prompt: Prompt,
        variables: Mapping[str, Any],
        task: Task,
        *,
        sample: int = 0,
        shape: type[Reply] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Request:
        """A request with this step's sampling parameters; `Unit.ask` adds the media of the task's problem.

        Args:
            prompt: the prompt, loaded.
            variables: what it is filled in with.
            task: what is asked about.
            sample: which of several samples of this prompt in this iteration, from 0.
            shape: the response schema; None for a text.
            parameters: further parameters, which go before those of the step.

        Raises:
            UserError: the prompt cannot be filled in; says at which step and record.
        """
        try:
            messages = prompt.render(**variables)
        except UserError as error:
            where = f"step {self.name}, {(task.subject or task.problem).id}, prompt {error.where}"
            raise type(error)(error.what, where=where, fix=error.fix) from error
        own = {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}
        return Request(
            messages=messages,
            task=task,
            parameters={**{k: v for k, v in own.items() if v is not None}, **(parameters or {})},
            sample=(self.iteration - 1) * _SAMPLES_OF_AN_ITERATION + sample,
            step=self.name,
            prompt=prompt.label,
            shape=shape,
            max_tokens_on_truncation=self.max_tokens_on_truncation,
        )

    def samples_of(self, first: Request, n: int) -> list[Request]:
        """`n` requests for different samples of the same question, the first of which is `first`."""
        return [first, *(first._replace(sample=first.sample + i) for i in range(1, n))]

    def form_of_fields(self, model: Model) -> Literal["json", "text"]:
        """How a reply with named fields is asked for: JSON where it can be held to a schema, lines `Name: value` else."""
        return "json" if "json_schema" in model.capabilities else "text"

    def is_greedy(self, model: Model) -> bool:
        """Whether a model would give this step the same reply each time."""
        own = self.temperature if self.temperature is not None else model.parameters.get("temperature")
        return own == 0

    def equal_samples(self, samples: int, models: Mapping[str, Sequence[Model]]) -> Iterable[tuple[str, str, str]]:
        """The mistake of asking a greedy model for several samples, as `problems_with` gives it."""
        if samples > 1 and any(self.is_greedy(model) for role in self.roles() for model in models.get(role, ())):
            what = f"{samples} samples at temperature 0 are {samples} times the same reply"
            yield "samples", what, "set temperature above 0, or samples: 1"

    async def ask_all(self, asked: Sequence[tuple[Model, Request, UnitRecord]], unit: Unit) -> list[Completion | None]:
        """Ask many at once; the replies in the order of the questions, None where none came."""
        if len(asked) == 1:
            return [await unit.ask(*asked[0])]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(unit.ask(model, request, target)) for model, request, target in asked]
        return [task.result() for task in tasks]
