"""From names to a run: pipeline, models and problems, all checked before anything is asked."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from synth.approvals import COMMAND_LINE, Approve, NamedIn, Sending, answer, sent_to_hub, settle
from synth.calls import Budget
from synth.engine.again import failed_in
from synth.engine.bar import Bar
from synth.engine.forget import forget
from synth.engine.loop import run_to_end
from synth.engine.progress import Progress
from synth.engine.rows import Rows, keep_rows, restore_rows
from synth.engine.run import Summary, run_pipeline
from synth.engine.signature import is_signed, sign
from synth.engine.stdin import keep_stdin
from synth.engine.target import Target
from synth.errors import UserError
from synth.models import FunctionModel, Model, Profile, ScriptedModel, bind_roles, load_profile, make_model
from synth.models.embedded import EmbeddedModel
from synth.models.endpoint import EndpointModel
from synth.pipeline import Draft, Pipeline, read_pipeline
from synth.shipped import shipped
from synth.sources import Source, load_mapping, open_source
from synth.store.manifest import Manifest, is_run

__all__ = ["Session", "open_session", "reopen", "run"]

Playable = Model | Callable[..., Any] | str
"""What can play a role: a model, a function, or a name as on the command line."""


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
        words = {**_relative(self.words, run), "skip_invalid": skip_invalid}
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
        _tell_apart(made)
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
        "pipeline": _words_of(pipeline.origin),
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


def _tell_apart(made: Mapping[str, Model]) -> None:
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


def reopen(run: Path, manifest: Manifest, *, approve: bool | Approve = False) -> Session:
    """The session a run folder was last worked on with.

    What the folder says is the user's own word only where this user's signature stands under it (`synth.engine.signature`);
    else all that would be read and sent is asked for first.

    Args:
        run: the run folder.
        manifest: what it remembers.
        approve: as in `open_session`.

    Raises:
        The same as `open_session`. The folder does not say with which command it was made (UserError).
    """
    if manifest.words is None:
        raise UserError(
            "run.json does not say with which command this run was made",
            where=str(run),
            fix="give the command of the run again: it asks what failed once more where units are done again",
        )
    words = manifest.words.model_dump()
    if words["own"]:
        raise UserError(
            f"who plays {', '.join(words['own'])} was made in Python, and cannot be made from here",
            where=str(run),
            fix="give the same call again there: it resumes, and asks again what failed with again=True",
        )
    restore_rows(run)
    pipeline, source, profile = words["pipeline"], words["input"], words["profile"]
    mapping = words["mapping"]
    named = str(run / pipeline) if str(pipeline).endswith((".yaml", ".yml")) else pipeline
    media_from = [run / one for one in words["media_from"]]
    input_name = source if source is None or source.startswith(("gym:", "hub:", "make:")) else str(run / source)
    mapping_name = str(run / mapping) if mapping and mapping.endswith((".yaml", ".yml")) else mapping
    profile_path = run / profile if profile else None
    foreign = None
    if not is_signed(manifest.words.model_dump(exclude_unset=True), manifest.signature):
        reads = {
            "the pipeline": run / pipeline["folder"] if isinstance(pipeline, dict) else named,
            "the problems": input_name,
            "the mapping": mapping_name,
            "the profile": profile_path,
            "the models": ", ".join(words["model"]) or None,
            "folders whose files the input and the pipeline may name": ", ".join(map(str, media_from)) or None,
        }
        lines = (f"{what}: {_shown(given)}" for what, given in reads.items() if given is not None)
        foreign = Foreign(f"{run / 'run.json'} was not written by you, or not on this machine. It names", tuple(lines))
    return open_session(
        read_pipeline(pipeline["given"], run / pipeline["folder"], media_from) if isinstance(pipeline, dict) else named,
        input_name=input_name,
        maps=words["map"],
        mapping=mapping_name,
        references=words["references"],
        given=words["model"],
        profile_path=profile_path,
        media_from=media_from,
        approve=approve,
        named_in=NamedIn(str(run / "run.json"), own=False),
        foreign=foreign,
    )


def _shown(given: str | Path) -> str:
    """A file by its whole path, so that nobody has to count `..`; other names as they are."""
    path = Path(given)
    return str(path.resolve()) if path.exists() else str(given)


def _words_of(origin: str | tuple[dict[str, Any], Path]) -> Any:
    if isinstance(origin, str):
        return Path(origin) if Path(origin).is_file() else origin
    return {"given": origin[0], "folder": origin[1]}


def _relative(words: Any, run: Path) -> Any:
    if isinstance(words, dict):
        return {k: _relative(v, run) for k, v in words.items()}
    if isinstance(words, list):
        return [_relative(v, run) for v in words]
    return _beside(words, run) if isinstance(words, Path) else words


def _beside(path: Path, run: Path) -> str:
    """A path as seen from the run folder, so that both can be moved together."""
    try:
        return Path(os.path.relpath(path.resolve(), run.resolve())).as_posix()
    except ValueError:  # on another drive
        return str(path.resolve())


def run(
    pipeline: str | Path | Mapping[str, Any] | Pipeline,
    input: str | Path | Rows | None = None,  # noqa: A002 - the word of the command line
    folder: str | Path | None = None,
    *,
    models: Playable | Mapping[str, Playable | Sequence[Playable]] | None = None,
    map: Mapping[str, str] | None = None,  # noqa: A002 - the word of the command line
    mapping: str | Path | None = None,
    profile: str | Path | None = None,
    media_from: Sequence[str | Path] = (),
    limit: int | None = None,
    skip_invalid: bool = False,
    max_calls: int | None = None,
    max_cost: float | None = None,
    max_tokens: int | None = None,
    until: str | None = None,
    again: bool = False,
    no_retry_failed: bool = False,
    replace_input: bool = False,
    approve: bool = False,
    progress: bool | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Summary:
    """Run a pipeline, or resume it: `synth run` in Python. Works in a notebook too.

        synth.run("fine-tune-cot", "gsm8k.jsonl", "runs/gsm8k", models="gpt", map={"question": "prompt"})

    Args:
        pipeline: a name of the catalogue, the path of a file, or of a folder with a `pipeline.yaml`, what such a file would
                hold, or a loaded pipeline.
        input: the problems: a file, or `make:NAME?…` or `gym:TASK?…`, or rows (dictionaries, `Problem`s, a frame of polars or pandas, a
            `datasets.Dataset`), which are then kept in the run folder as `input.jsonl`; None for the pipeline's sample.
        folder: the run folder; None for `runs/PIPELINE`.
        models: who plays every role, or each role: names as on the command line (`"gpt"`, `"a,b"`), functions
            (`FunctionModel`) or other models, or a list of these.
        map: which column gives which field.
        mapping: or how whole rows are read: a declared mapping by its name, or the path of one.
        profile: the profile file; None for the usual places.
        media_from: folders whose files the input and a pipeline file may name, beside those in their own folders and below.
        limit: only the first so many problems.
        skip_invalid: continue with the good rows where some are bad.
        max_calls: most calls of the run folder.
        max_cost: most US dollars of the run folder.
        max_tokens: most tokens, read and written, of the run folder.
        until: a yield to stop at, such as `"2000 kept"` or `"500 pairs"`: so many are kept in the end, corpus steps included.
        again: also do the units again in which something failed, for any cause; replies on record are used.
        no_retry_failed: where units are done again, do not ask again what was refused, cut off or empty.
        replace_input: exclude from the run the problems it was made with that `input` (or `limit`) has no more; without it
            such an input is an error. More problems are none.
        approve: whether keys and prompts may go to hosts that have not been approved (`synth models --approved`): those in
            a `models.yaml` of the working folder, and plain HTTP to another machine. It is remembered.
        progress: whether a bar is shown; None: in a terminal and in a notebook.
        on_note: called with lines to show the user.

    Raises:
        UserError: something to fix on your side; nothing was asked.
        Stopped: it ended early, and the same call resumes.
    """
    own, given = _players(models)
    if isinstance(pipeline, Pipeline):
        draft = Draft(pipeline)
    else:
        draft = read_pipeline(pipeline, media_from=None if isinstance(pipeline, Mapping) else media_from)
    where = Path(folder) if folder is not None else default_folder(draft.checked())
    budget = Budget(max_calls, max_cost, max_tokens)
    target = Target.parse(until) if until is not None else None
    try:
        if not isinstance(input, (str, Path, NoneType)):
            input = keep_rows(where, input)  # noqa: A001
        session = open_session(
            draft,
            input_name=None if input is None else str(input),
            maps=map,
            mapping=None if mapping is None else str(mapping),
            given=given,
            own=own,
            profile_path=Path(profile) if profile else None,
            approve=approve,
            media_from=media_from,
        )
        failed: frozenset[str] = frozenset()
        if again and is_run(where):
            found = failed_in(where, everything=True)
            forget(where, found.unusable)
            failed = found.units
        counts = Progress()
        with Bar(counts, session.pipeline.pipeline, progress):
            summary = _finish(
                session.go(
                    where,
                    limit=limit,
                    skip_invalid=skip_invalid,
                    budget=budget,
                    until=target,
                    again=failed,
                    no_retry_failed=no_retry_failed,
                    replace_input=replace_input,
                    progress=counts,
                    on_note=on_note,
                )
            )
    finally:
        restore_rows(where)
    if summary.stopped is not None:
        raise summary.stopped
    return summary


def _players(
    models: Playable | Mapping[str, Playable | Sequence[Playable]] | None,
) -> tuple[Model | dict[str, list[Model]], list[str]]:
    """Models by role, or one for every role; and names, as the command line gives them.

    Raises:
        UserError: something of it cannot play a role, or a function cannot be a model.
    """
    of_functions: list[tuple[Any, FunctionModel]] = []

    def as_model(player: Any) -> Model:
        if isinstance(player, Model):
            return player
        if not callable(player):
            raise UserError(
                f"a value of type {type(player).__name__} plays no role",
                where="models",
                fix="give a name, a function, a model such as synth.FunctionModel, or by role: {'teacher': …}",
            )
        # One function in two roles is one model. Methods are equal without being the same object.
        known = next((m for function, m in of_functions if function == player), None)
        if known is None:
            known = FunctionModel(player)
            of_functions.append((player, known))
        return known

    if models is None:
        return {}, []
    if isinstance(models, str):
        return {}, [models]
    if not isinstance(models, Mapping):
        return as_model(models), []
    own: dict[str, list[Model]] = {}
    given: list[str] = []
    for role, players in models.items():
        for player in players if isinstance(players, (list, tuple)) else [players]:
            if isinstance(player, str):
                given.append(f"{role}={player}")
            else:
                own.setdefault(role, []).append(as_model(player))
    return own, given


def _finish(work: Coroutine[Any, Any, Summary]) -> Summary:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_to_end(work)
    with ThreadPoolExecutor(1) as beside:  # a notebook has a loop of its own, which cannot be run from within
        return beside.submit(run_to_end, work).result()
