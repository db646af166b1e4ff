"""From names to a run: pipeline, models and problems, all checked before anything is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from synth.approvals import COMMAND_LINE, Approve, NamedIn, Sending, answer, sent_to_hub, settle
from synth.calls import Budget
from synth.engine.progress import Progress
from synth.engine.run import run_pipeline
from synth.engine.signature import sign
from synth.engine.stdin import keep_stdin
from synth.engine.summary import Summary
from synth.engine.target import Target
from synth.engine.words import relative, words_of
from synth.errors import UserError
from synth.models import Model, Profile, ScriptedModel, bind_roles, load_profile, make_model
from synth.models.embedded import EmbeddedModel
from synth.models.endpoint import EndpointModel
from synth.pipeline import Draft, Pipeline, read_pipeline
from synth.shipped import shipped
from synth.sources import Source, load_mapping, open_source

__all__ = ["Foreign", "Session", "open_session"]


@dataclass
class Session:
    """A checked pipeline with its models and problems."""

    pipeline: Pipeline
    source: Source
    models: Mapping[str, Sequence[Model]]
    words: Mapping[str, Any]
    """What was asked for, files as paths. `run.json` remembers it, so that `retry` can take the run up."""

    @property
    def default_folder(self) -> Path:
        """Where it runs if nobody says where."""
        return default_folder(self.pipeline)

    async def go(
        self,
        run: Path,
        *,
        limit: int | None = None,
        skip_invalid: bool = False,
        budget: Budget | None = None,
        until: Target | None = None,
        again: frozenset[str] = frozenset(),
        again_only: bool = False,
        no_retry_failed: bool = False,
        replace_input: bool = False,
        progress: Progress | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> Summary:
        """Run it, or resume it; arguments and errors as in `run_pipeline`."""
        words = {**relative(self.words, run), "skip_invalid": skip_invalid}
        return await run_pipeline(
            self.pipeline,
            self.source,
            run,
            self.models,
            limit=limit,
            skip_invalid=skip_invalid,
            budget=budget,
            until=until,
            again=again,
            again_only=again_only,
            no_retry_failed=no_retry_failed,
            replace_input=replace_input,
            remember={"words": words, "signature": sign(words)},
            progress=progress,
            on_note=on_note,
        )


def default_folder(pipeline: Pipeline) -> Path:
    """Where a pipeline runs if nobody says where."""
    return Path("runs") / pipeline.pipeline.rsplit("/", 1)[-1]


def open_session(
    name: str | Pipeline | Draft,
    *,
    input_name: str | None = None,
    maps: Mapping[str, str] | None = None,
    mapping: str | None = None,
    references: bool = False,
    folder: Path | None = None,
    given: Sequence[str] = (),
    own: Model | Mapping[str, Model | Sequence[Model]] | None = None,
    profile_path: Path | None = None,
    media_from: Sequence[str | Path] = (),
    prepare: bool = True,
    approve: bool | Approve = False,
    named_in: NamedIn = COMMAND_LINE,
    foreign: Foreign | None = None,
) -> Session:
    """Read and check everything a run needs.

    Args:
        name: the pipeline: of the catalogue, or a path; or one that was loaded or read.
        input_name: the problems; None for the pipeline's sample.
        maps: which column gives which field.
        mapping: or how whole rows are read: the name of a declared mapping, or the path of one.
        references: where no mapping is named: whether the worked solutions of rows are records of the run.
        folder: the run folder, into which standard input (`-`) is copied; None: where it runs if nobody says where.
        given: who plays which role, as `--model` takes it.
        own: models of the caller's making, for every role or by role; those that `given` names for the same role play it too.
        profile_path: the profile file; None for the usual places.
        media_from: folders whose files the input and the pipeline may name, beside those in their own folders.
        prepare: whether keys are looked up and models fetched; a plan needs neither.
        approve: whether keys and prompts may go to hosts that are not approved yet, or what asks the user; see
            `synth.approvals`.
        named_in: where `given` and `profile_path` were written down; the command line is the user's own word.
        foreign: a run folder of somebody else, whose words these are: all that it would read and send is asked for.

    Raises:
        PipelineError, SetupError, InputError: all mistakes of a kind at once. A host is not approved (SetupError).
    """
    mine: dict[str, Model | Sequence[Model]] = {}
    if isinstance(name, str):
        draft = read_pipeline(name, media_from=media_from)
    else:
        draft = Draft(name) if isinstance(name, Pipeline) else name
    models: dict[str, list[Model]] = {}
    if draft.pipeline is not None:
        profile: Profile = load_profile(profile_path, own=named_in.own)
        roles = draft.pipeline.role_names
        mine = dict.fromkeys(roles, own) if isinstance(own, Model) else dict(own or {})
        words_given = [*given, *(f"{role}=" for role in mine)]
        bound = bind_roles(roles, words_given, profile)
        # Names that the profile gives to roles are its word.
        ours = {n for names in bind_roles(roles, words_given, Profile(models={}, roles={})).values() for n in names}
        made = {
            n: _in_world(
                make_model(n, profile, named_in if n in ours else profile.named_in or named_in), draft.pipeline
            )
            for names in bound.values()
            for n in names
        }
        _name_apart(made)
        models = {
            role: [*(_in_world(m, draft.pipeline) for m in _some(mine.get(role, ()))), *(made[n] for n in names)]
            for role, names in bound.items()
        }
        draft.check_models(models)
    pipeline = draft.checked()
    asked = {t.name: t for some in models.values() for t in some}.values()
    sendings: list[Sending] = []
    for model in asked if prepare else ():
        if isinstance(model, EndpointModel):
            model.check()
            sendings += model.sendings()
    if input_name is not None and input_name.startswith("hub:"):
        sendings += sent_to_hub()
    settle(
        sendings,
        answer(approve),
        foreign.reads if foreign is not None else (),
        foreign.title if foreign is not None else None,
    )
    if input_name == "-":
        input_name = str(keep_stdin(folder or default_folder(pipeline)))
    source = _source(pipeline, input_name, maps, mapping, references=references, media_from=media_from)
    for model in asked if prepare else ():
        if isinstance(model, EmbeddedModel):
            model.prepare()
    words = {
        "pipeline": words_of(pipeline.origin),
        "input": Path(input_name) if input_name is not None and Path(input_name).is_file() else input_name,
        "map": dict(maps or {}),
        "mapping": Path(mapping) if mapping is not None and Path(mapping).is_file() else mapping,
        "references": references,
        "media_from": [Path(one).expanduser() for one in media_from],
        "model": list(given),
        "own": sorted(mine),
        "profile": profile_path,
    }
    return Session(pipeline, source, models, words)


def _in_world(model: Model, pipeline: Pipeline) -> Model:
    """The scripted model with the simulators that the pipeline brings; any other as it is."""
    return model.knowing(pipeline.simulators) if type(model) is ScriptedModel else model


def _name_apart(made: Mapping[str, Model]) -> None:
    """Call models that have the same model's name by where they are as well: two servers of one model."""
    names = Counter(model.name for model in made.values())
    for given, model in made.items():
        if names[model.name] > 1:
            model.name = given


def _some(given: Model | Sequence[Model]) -> list[Model]:
    return [given] if isinstance(given, Model) else list(given)


def _source(
    pipeline: Pipeline,
    name: str | None,
    maps: Mapping[str, str] | None,
    mapping: str | None,
    *,
    references: bool,
    media_from: Sequence[str | Path],
) -> Source:
    if name is None and pipeline.sample is None:
        raise UserError("the pipeline names no sample", fix="give the problems: --input FILE")
    sample = str(pipeline.sample)
    where = name if name is not None else sample if sample.startswith("make:") else str(shipped("samples") / sample)
    declared = load_mapping(mapping) if mapping is not None else None
    if declared is not None and maps:
        raise UserError("a declared mapping says which column gives what", fix="give --mapping, or --map")
    brought = declared.gives() if declared is not None else ("rationale",) if references else ()
    if lacking := [kind for kind in pipeline.imports if kind not in brought]:
        what = f"the pipeline works on what its input brings, and this input brings no {', no '.join(lacking)}"
        gives = f"; {mapping} gives {', '.join(brought) or 'problems alone'}" if mapping is not None else ""
        raise UserError(what + gives, where=where, fix="name a mapping that does: --mapping (synth import --list)")
    return open_source(
        where,
        mapping=maps,
        declared=declared,
        references=references,
        needs=pipeline.needs,
        check_input=pipeline.check_input,
        media_from=media_from,
    )


class Foreign(NamedTuple):
    """A run folder that this user has not made, and what it would have read."""

    title: str
    reads: tuple[str, ...]
