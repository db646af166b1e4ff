"""A run from Python: `synth.run`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import NoneType
from typing import Any

from synth.calls import Budget
from synth.engine.again import failed_in
from synth.engine.bar import Bar
from synth.engine.forget import forget
from synth.engine.loop import run_to_end
from synth.engine.progress import Progress
from synth.engine.rows import Rows, keep_rows, restore_rows
from synth.engine.session import default_folder, open_session
from synth.engine.summary import Summary
from synth.engine.target import Target
from synth.errors import UserError
from synth.models import FunctionModel, Model
from synth.pipeline import Draft, Pipeline, read_pipeline
from synth.store.manifest import is_run

__all__ = ["run"]

Playable = Model | Callable[..., Any] | str
"""What can play a role: a model, a function, or a name as on the command line."""


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
