"""From names to a run: pipeline, teachers and problems, all checked before anything is asked."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from synth.engine.again import failed_units
from synth.engine.bar import Bar
from synth.engine.progress import Progress
from synth.engine.rows import Rows, keep_rows, restore_rows
from synth.engine.run import Summary, run_pipeline
from synth.engine.stdin import keep_stdin
from synth.engine.target import Target
from synth.errors import UserError
from synth.pipeline import Draft, Pipeline, read_pipeline
from synth.shipped import shipped
from synth.sources import Source, load_mapping, open_source
from synth.teachers import Budget, Profile, Teacher, bind_roles, load_profile, make_teacher
from synth.teachers.embedded import EmbeddedTeacher
from synth.teachers.endpoint import EndpointTeacher

__all__ = ["Session", "open_session", "reopen", "run"]


@dataclass
class Session:
    """A checked pipeline with its teachers and problems."""

    pipeline: Pipeline
    source: Source
    teachers: Mapping[str, Sequence[Teacher]]
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
        skip_bad: bool = False,
        budget: Budget | None = None,
        until: Target | None = None,
        again: frozenset[str] = frozenset(),
        again_only: bool = False,
        keep_failures: bool = False,
        replace_input: bool = False,
        progress: Progress | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> Summary:
        """Run it, or go on with it; arguments and errors as in `run_pipeline`."""
        words = _relative(self.words, run)
        return await run_pipeline(
            self.pipeline,
            self.source,
            run,
            self.teachers,
            limit=limit,
            skip_bad=skip_bad,
            budget=budget,
            until=until,
            again=again,
            again_only=again_only,
            keep_failures=keep_failures,
            replace_input=replace_input,
            remember={"words": {**words, "skip_bad": skip_bad}},
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
    own: Teacher | Mapping[str, Teacher | Sequence[Teacher]] | None = None,
    profile_path: Path | None = None,
    prepare: bool = True,
) -> Session:
    """Read and check everything a run needs.

    Args:
        name: the pipeline: of the catalogue, or a path; or one that was loaded or read.
        input_name: the problems; None for the pipeline's sample.
        maps: which column gives which field.
        mapping: or how whole rows are read: the name of a declared mapping, or the path of one.
        references: where no mapping is named: whether the worked solutions of rows are records of the run.
        folder: the run folder, into which standard input (`-`) is copied; None: where it runs if nobody says where.
        given: who plays which role, as `--teacher` takes it.
        own: teachers of the caller's making, for every role or by role; they go before names.
        profile_path: the profile file; None for the usual places.
        prepare: whether keys are looked up and models fetched; a plan needs neither.

    Raises:
        PipelineError, SetupError, InputError: all mistakes of a kind at once.
    """
    mine: dict[str, Teacher | Sequence[Teacher]] = {}
    draft = Draft(name) if isinstance(name, Pipeline) else read_pipeline(name) if isinstance(name, str) else name
    teachers: dict[str, list[Teacher]] = {}
    if draft.pipeline is not None:
        profile: Profile = load_profile(profile_path)
        roles = draft.pipeline.role_names
        mine = dict.fromkeys(roles, own) if isinstance(own, Teacher) else dict(own or {})
        bound = bind_roles(roles, [*given, *(f"{role}=" for role in mine)], profile)
        made = {n: make_teacher(n, profile) for names in bound.values() for n in names}
        _tell_apart(made)
        teachers = {
            role: _some(mine[role]) if role in mine else [made[n] for n in names] for role, names in bound.items()
        }
        draft.check_teachers(teachers)
    pipeline = draft.checked()
    if input_name == "-":
        input_name = str(keep_stdin(folder or default_folder(pipeline)))
    source = _source(pipeline, input_name, maps, mapping, references=references)
    if prepare:
        for teacher in {t.name: t for some in teachers.values() for t in some}.values():
            if isinstance(teacher, EmbeddedTeacher):
                teacher.prepare()
            elif isinstance(teacher, EndpointTeacher):
                teacher.check()
    words = {
        "pipeline": _words_of(pipeline.origin),
        "input": Path(input_name) if input_name is not None and Path(input_name).is_file() else input_name,
        "map": dict(maps or {}),
        "mapping": Path(mapping) if mapping is not None and Path(mapping).is_file() else mapping,
        "references": references,
        "teacher": list(given),
        "own": sorted(mine),
        "profile": profile_path,
    }
    return Session(pipeline, source, teachers, words)


def _tell_apart(made: Mapping[str, Teacher]) -> None:
    """Call teachers that have the same model's name by where they are as well: two servers of one model."""
    names = Counter(teacher.name for teacher in made.values())
    for given, teacher in made.items():
        if names[teacher.name] > 1:
            teacher.name = given


def _some(given: Teacher | Sequence[Teacher]) -> list[Teacher]:
    return [given] if isinstance(given, Teacher) else list(given)


def _source(
    pipeline: Pipeline, name: str | None, maps: Mapping[str, str] | None, mapping: str | None, *, references: bool
) -> Source:
    if name is None and pipeline.sample is None:
        raise UserError("the pipeline names no sample", remedy="give the problems: --input FILE")
    where = name if name is not None else str(shipped("samples") / str(pipeline.sample))
    declared = load_mapping(mapping) if mapping is not None else None
    if declared is not None and maps:
        raise UserError("a declared mapping says which column gives what", remedy="give --mapping, or --map")
    brought = declared.gives() if declared is not None else ("rationale",) if references else ()
    if lacking := [kind for kind in pipeline.imports if kind not in brought]:
        what = f"the pipeline works on what its input brings, and this input brings no {', no '.join(lacking)}"
        gives = f"; {mapping} gives {', '.join(brought) or 'problems alone'}" if mapping is not None else ""
        raise UserError(what + gives, where=where, remedy="name a mapping that does: --mapping (synth import --list)")
    return open_source(
        where,
        mapping=maps,
        declared=declared,
        references=references,
        needs=pipeline.needs,
        unfit=pipeline.unfit,
    )


def reopen(run: Path, words: Mapping[str, Any]) -> Session:
    """The session a run folder was last worked on with.

    Args:
        run: the run folder.
        words: what its manifest remembers.

    Raises:
        The same as `open_session`.
    """
    if words.get("own"):
        raise UserError(
            f"who plays {', '.join(words['own'])} was made in Python, and cannot be made from here",
            where=str(run),
            remedy="give the same call again there: it goes on, and asks again what failed with again=True",
        )
    restore_rows(run)
    pipeline, source, profile = words["pipeline"], words["input"], words["profile"]
    mapping = words.get("mapping")
    named = str(run / pipeline) if str(pipeline).endswith((".yaml", ".yml")) else pipeline
    return open_session(
        read_pipeline(pipeline["given"], run / pipeline["folder"]) if isinstance(pipeline, dict) else named,
        input_name=source if source is None or source.startswith(("gym:", "hub:")) else str(run / source),
        maps=words["map"],
        mapping=str(run / mapping) if mapping and mapping.endswith((".yaml", ".yml")) else mapping,
        references=bool(words.get("references")),
        given=words["teacher"],
        profile_path=run / profile if profile else None,
    )


def _words_of(origin: str | tuple[dict[str, Any], Path]) -> Any:
    if isinstance(origin, str):
        return Path(origin) if Path(origin).is_file() else origin
    return {"given": origin[0], "folder": origin[1]}


def _relative(words: Any, run: Path) -> Any:
    if isinstance(words, dict):
        return {k: _relative(v, run) for k, v in words.items()}
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
    teachers: Teacher | str | Mapping[str, Teacher | str] | None = None,
    map: Mapping[str, str] | None = None,  # noqa: A002 - the word of the command line
    mapping: str | Path | None = None,
    profile: str | Path | None = None,
    limit: int | None = None,
    skip_bad: bool = False,
    max_calls: int | None = None,
    max_cost: float | None = None,
    max_tokens: int | None = None,
    until: str | None = None,
    again: bool = False,
    keep_failures: bool = False,
    replace_input: bool = False,
    progress: bool | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Summary:
    """Do a pipeline, or go on with it: `synth run` in Python. Works in a notebook too.

        synth.run("fine-tune-cot", "gsm8k.jsonl", "runs/gsm8k", teachers="gpt", map={"question": "prompt"})

    Args:
        pipeline: a name of the catalogue, the path of a file, what such a file would hold, or a loaded pipeline.
        input: the problems: a file, or `gym:TASK?…`, or rows (dictionaries, `Problem`s, a frame of polars or pandas, a
            `datasets.Dataset`), which are then kept in the run folder as `input.jsonl`; None for the pipeline's sample.
        folder: the run folder; None for `runs/PIPELINE`.
        teachers: who plays every role, or each: a teacher, or names as on the command line (`"gpt"`, `"a,b"`).
        map: which column gives which field.
        mapping: or how whole rows are read: a declared mapping by its name, or the path of one.
        profile: the profile file; None for the usual places.
        limit: only the first so many problems.
        skip_bad: go on with the good rows where some are bad.
        max_calls: most calls of the run folder.
        max_cost: most US dollars of the run folder.
        max_tokens: most tokens, read and written, of the run folder.
        until: a yield to stop at, such as `"2000 kept"` or `"500 pairs"`: so many are kept in the end, corpus steps included.
        again: also do the units again in which something failed, whatever it was; replies on record are used.
        keep_failures: where units are done again, do not ask again what was refused, cut off or empty.
        replace_input: exclude from the run the problems it was made with that `input` (or `limit`) has no more; without it
            such an input is an error. More problems are none.
        progress: whether a bar is shown; None: in a terminal and in a notebook.
        on_note: called with lines worth telling.

    Raises:
        UserError: something to mend on your side; nothing was asked.
        Stopped: it ended early, and the same call goes on.
    """
    if isinstance(teachers, (Teacher, str, NoneType)):
        own: Teacher | dict[str, Teacher | Sequence[Teacher]] = teachers if isinstance(teachers, Teacher) else {}
        given = [teachers] if isinstance(teachers, str) else []
    else:
        own = {role: t for role, t in teachers.items() if not isinstance(t, str)}
        given = [f"{role}={t}" for role, t in teachers.items() if isinstance(t, str)]
    draft = Draft(pipeline) if isinstance(pipeline, Pipeline) else read_pipeline(pipeline)
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
        )
        failed = failed_units(where, everything=True)[0] if again and (where / "run.json").is_file() else frozenset()
        counts = Progress()
        with Bar(counts, session.pipeline.pipeline, progress):
            summary = _finish(
                session.go(
                    where,
                    limit=limit,
                    skip_bad=skip_bad,
                    budget=budget,
                    until=target,
                    again=failed,
                    keep_failures=keep_failures,
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


def _finish(work: Coroutine[Any, Any, Summary]) -> Summary:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as beside:  # a notebook has a loop of its own, which cannot be run from within
        return beside.submit(asyncio.run, work).result()
