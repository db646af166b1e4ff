"""What a pipeline file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, create_model

from synth.corpus import CORPUS_STEPS, CorpusStep
from synth.documented import json_schema
from synth.models import Simulator
from synth.records import Problem, canonical_json, content_id
from synth.steps import BUILT_IN, ModelStep, Step

__all__ = ["Pipeline", "PipelineHead", "pipeline_schema"]


class PipelineHead(BaseModel):
    """The top of a pipeline file: all but its steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
    """Its name: `family/name`."""
    version: Annotated[int, Field(ge=1)] = 1
    """Raised when its results change."""
    title: str = ""
    """One line: what it makes."""
    about: str = ""
    """What it does, when to use it and when not; shown in its help."""
    cites: tuple[str, ...] = ()
    """The works it follows: `arXiv:2212.10071`, with a title."""
    sample: str | None = None
    """What is used where no input is given: a shipped sample input of its kind, or problems of a generator (`make:NAME?size=20`)."""
    roles: Annotated[dict[str, str], Field(default_factory=dict)]
    """The model roles it asks, each with a word on what it does."""
    code: tuple[str, ...] = ()
    """Python files beside it (`.py`) with steps, classes of replies and simulators of its own. They run as the user, who allows them
    first (`--allow-code`)."""
    imports: tuple[Annotated[str, Field(pattern=r"^(rationale|pair|critique|score\.[a-z][a-z0-9_]*)$")], ...] = ()
    """What its input must bring beside problems: rationales, pairs, critiques, scores by name. Such input is read by a
    declared mapping (`--mapping`)."""


class Pipeline(PipelineHead):
    """A pipeline, checked."""

    steps: tuple[Step, ...]
    """What is done with each unit, in order."""
    corpus: tuple[CorpusStep, ...] = ()
    """What is done with the whole corpus afterwards, in order."""
    prompt_texts: Annotated[dict[str, str], Field(default_factory=dict)]
    """Labels of the prompts in use, by step and option."""
    code_digests: Annotated[dict[str, str], Field(default_factory=dict)]
    """SHA-256 of the content of each Python file that it brings, by name."""
    _simulators: dict[str, Simulator] = PrivateAttr(default_factory=dict)
    _own_steps: dict[str, type[Step]] = PrivateAttr(default_factory=dict)
    _origin: str | tuple[dict[str, Any], Path] = PrivateAttr("")

    @property
    def origin(self) -> str | tuple[dict[str, Any], Path]:
        """What it was loaded from: a name, a path, or a mapping with the folder in which its relative paths begin."""
        return self._origin

    @property
    def own_steps(self) -> Mapping[str, type[Step]]:
        """The steps that its Python defines, by the names of the steps, also those that it does not use."""
        return self._own_steps

    @property
    def simulators(self) -> Mapping[str, Simulator]:
        """How the scripted model answers its steps, by step name, where its Python says so."""
        return self._simulators

    @property
    def model_steps(self) -> tuple[ModelStep, ...]:
        """The steps that ask models."""
        return tuple(s for s in self.steps if isinstance(s, ModelStep))

    @property
    def role_names(self) -> tuple[str, ...]:
        """The roles its steps ask, in order."""
        return tuple(dict.fromkeys(role for s in self.model_steps for role in s.roles()))

    @property
    def needs(self) -> frozenset[str]:
        """Fields every problem of the input must have. What is made of problems that steps derived asks nothing of the input."""
        own = [step for index, step in enumerate(self.steps) if self._is_of_input(index)]
        needed: set[str] = {"answer"} if _hints(own) else set()
        filled: set[str] = set()
        for step in own:
            needed |= step.needed() - filled
            filled |= step.fills
        return frozenset(needed)

    def _is_of_input(self, index: int) -> bool:
        """Whether a step may work on a problem of the input, or on what was made of one."""
        step, names = self.steps[index], {s.name: i for i, s in enumerate(self.steps[:index])}
        for source in self.sources_of(index) or ("input",):
            at = names.get(source)
            makes_problems = at is not None and step.takes_type() is Problem and Problem in self.steps[at].gives_types()
            if at is None or (not makes_problems and self._is_of_input(at)):
                return True
        return False

    def check_input(self, problem: Problem) -> str | None:
        """Why the pipeline cannot work on a problem of the input; None where it can."""
        found = (step.check_input(problem) for step in self._choosy)
        return next((why for why in found if why is not None), None)

    @cached_property
    def _choosy(self) -> tuple[Step, ...]:
        """The steps that work on the input, and cannot work on every problem."""
        return tuple(
            step
            for index, step in enumerate(self.steps)
            if type(step).check_input is not Step.check_input and "input" in (self.sources_of(index) or ("input",))
        )

    def sources_of(self, index: int) -> tuple[str, ...] | None:
        """The names of the steps whose records a step works on; None for all."""
        step = self.steps[index]
        if step.of == "*":
            return None
        if step.of is not None:
            return (step.of,) if isinstance(step.of, str) else step.of
        kind = step.takes_type()
        makers = [s.name for s in self.steps[:index] if kind in s.gives_types() and kind not in s.by_products]
        return (makers[-1],) if makers else ("input",)

    def described(self) -> dict[str, Any]:
        """Everything that decides what it makes, as JSON."""
        return {
            "pipeline": self.pipeline,
            **({"imports": list(self.imports)} if self.imports else {}),
            "steps": [s.described() for s in self.steps],
            "prompts": self.prompt_texts,
            **({"code": self.code_digests} if self.code_digests else {}),
        }

    def introduced(self) -> dict[str, Any]:
        """What it says of itself, as JSON; decides nothing of what it makes."""
        return self.model_dump(mode="json", include={"version", "title", "about", "cites", "roles"})

    def fingerprint(self) -> str:
        """Changes when the units would come out otherwise."""
        return content_id(self.described())


def _hints(steps: Sequence[Step]) -> bool:
    return any(getattr(s, "hint", "none") == "answer" for s in steps)


MOST_ITERATIONS = 20
"""Iterations of a `repeat`."""

_Parameter = str | int | float | bool | None


class _Item(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UseItem(_Item):
    """The steps of a block, put in here when the pipeline is loaded."""

    use: Annotated[str, Field(pattern=r"\.ya?ml$")]
    """The file of the block, read from beside the file that names it: `steps:`, and defaults of its parameters, `with:`."""
    name: str | None = None
    """The names of its steps begin with it: `NAME_STEP`."""
    parameters: Annotated[dict[str, _Parameter | tuple[_Parameter, ...]], Field(alias="with")] = {}
    """Values of its parameters, `${PARAMETER}` in its texts."""


class RepeatHead(_Item):
    """Steps that are run again until a condition holds; written out when the pipeline is loaded."""

    until: str
    """An expression about the problem, as `when`; where it is true, no more steps of it run."""
    at_most: Annotated[int, Field(ge=1, le=MOST_ITERATIONS)]
    """Iterations at most."""


class InsertHead(_Item):
    """Steps that are put into the pipeline that is extended."""

    before: str | None = None
    """The step before which they are put."""
    after: str | None = None
    """The step after which they are put."""


@cache
def _file_model() -> type[BaseModel]:
    """A pipeline file as a model, for its JSON Schema: editors complete and check with it."""
    any_step: Any = BUILT_IN[0]
    for kind in BUILT_IN[1:]:
        any_step = any_step | kind
    any_corpus: Any = CORPUS_STEPS[0]
    for corpus_kind in CORPUS_STEPS[1:]:
        any_corpus = any_corpus | corpus_kind
    step = Annotated[any_step, Field(discriminator="step")]
    names = [kind.model_fields["step"].default for kind in BUILT_IN]
    own = create_model(
        "OwnStep",
        __config__=ConfigDict(extra="allow"),
        __doc__="A step that the Python of the pipeline defines (`code`), or another package.",
        step=(str, Field(description="Its name.", json_schema_extra={"not": {"enum": names}})),
    )
    inner = tuple[step | own | UseItem, ...]
    repeat = create_model(
        "Repeat",
        __base__=RepeatHead,
        __doc__=RepeatHead.__doc__,
        steps=(inner, Field(min_length=1, description="The steps of an iteration, in order.")),
    )
    repeat_item = create_model(
        "RepeatItem",
        __base__=_Item,
        __doc__=RepeatHead.__doc__,
        repeat=(repeat, Field(description="The steps, and when they end.")),
    )
    any_item: Any = step | own | UseItem | repeat_item
    steps = tuple[any_item, ...]
    corpus = tuple[Annotated[any_corpus, Field()], ...]
    insert = create_model(
        "Insert",
        __base__=InsertHead,
        __doc__=InsertHead.__doc__,
        steps=(tuple[any_item | any_corpus, ...], Field(description="The steps, in order.")),
    )
    override = dict[str, dict[str, Any] | None]
    return create_model(
        "PipelineFile",
        __base__=PipelineHead,
        __doc__="A pipeline file.",
        extends=(str | None, Field(None, description="A pipeline this one is a preset of.")),
        override=(override, Field({}, description="With `extends`: options by step name; null removes the step.")),
        insert=(
            tuple[insert, ...],
            Field((), description="With `extends`: further steps, before or after one of its own."),
        ),
        replace=(
            dict[str, dict[str, Any]],
            Field({}, description="With `extends`: by step name a whole step that takes its place."),
        ),
        steps=(steps, Field((), description="What is done with each unit, in order.")),
        corpus=(corpus, Field((), description="What is done with the whole corpus afterwards, in order.")),
    )


def pipeline_schema() -> dict[str, Any]:
    """The JSON Schema of a pipeline file."""
    schema = json_schema(_file_model())
    for definition in schema["$defs"].values():
        if "const" in definition.get("properties", {}).get("step", {}):
            definition["properties"].pop("folder", None)
            definition["properties"].pop("classes", None)
            definition["required"] = sorted({*definition.get("required", []), "step"})
    # Without Python of its own, and without a base that may have some, its steps are those that there are.
    known = {"items": {"properties": {"step": {"enum": [kind.model_fields["step"].default for kind in BUILT_IN]}}}}
    schema["if"] = {"not": {"anyOf": [{"required": ["code"]}, {"required": ["extends"]}]}}
    schema["then"] = {"properties": {"steps": known}}
    assert canonical_json(schema)
    return schema
