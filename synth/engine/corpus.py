"""Corpus steps over a run: those of its pipeline, and those that were added by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.corpus import CorpusStep
from synth.corpus.step import FileStep
from synth.errors import UserError
from synth.pipeline import read_pipeline
from synth.records import UnitRecord, content_id
from synth.store.commits import commit_body
from synth.store.database import BY_HAND, fold, open_store
from synth.store.journal import Journal
from synth.store.run_folder import RunFolder, read_manifest

__all__ = ["add_by_hand", "by_hand", "commit", "fingerprint_of", "judge", "take_off"]


def commit(
    journal: Journal, owner: str, fingerprint: str, records: Iterable[UnitRecord], *, first: bool = False
) -> None:
    """Note what an owner made, in the stead of what it made before; arguments as in `commit_body`."""
    journal.append("commit", commit_body(owner, fingerprint, records, first=first))


def judge(
    journal: Journal, run: Path, owner: str, steps: Sequence[CorpusStep], fingerprint: str, tell: Callable[[str], None]
) -> None:
    """Let corpus steps look at a run, one after the other, each at what those before it left.

    Args:
        journal: of the run.
        run: the run folder.
        owner: whose rows they make; what it made before is gone.
        steps: what is done.
        fingerprint: noted with the last row, so that it can be told whether all was done.
        tell: called with what steps have to say.
    """
    commit(journal, owner, "" if steps else fingerprint, [])
    made: list[UnitRecord] = []
    for left, step in zip(reversed(range(len(steps))), steps, strict=True):
        journal.flush()
        fold(run)
        with open_store(run) as store:
            for one in step.run(store):
                if isinstance(one, str):
                    tell(f"{step.name}: {one}")
                else:
                    made.append(one)
        commit(journal, owner, "" if left else fingerprint, made)
    journal.flush()


def fingerprint_of(steps: Iterable[CorpusStep]) -> str:
    """Changes when the steps would come out otherwise on the same units."""
    return content_id([s.described() for s in steps])


def by_hand(run: Path) -> tuple[CorpusStep, ...]:
    """The corpus steps that were added to a run by hand, in order.

    Raises:
        RunFolderError: there is no run.
        PipelineError: they do not pass the static check (a file that one reads is gone).
    """
    return _checked(read_manifest(run).get("curated", []), run)


def add_by_hand(run: Path, step: Mapping[str, Any], tell: Callable[[str], None]) -> CorpusStep:
    """Let one more corpus step look at what a run has kept; it does so again after every later session.

    Args:
        run: the run folder.
        step: as in a pipeline file; files are read from beside the working folder.
        tell: called with what it has to say.

    Returns:
        The step as it was taken, under a name that no other step of the run has.

    Raises:
        RunFolderError: there is no run, or another process is at work on it.
        PipelineError: the step does not pass the static check; nothing was changed.
    """
    manifest = read_manifest(run)
    before = manifest.get("curated", [])
    (wanted,) = _checked([step], Path())
    described = manifest.get("described", {}).get("steps", [])
    taken = {"input", *(s["name"] for s in [*described, *manifest.get("corpus", []), *before])}
    number, name = 1, wanted.name
    while name in taken:
        number, name = number + 1, f"{wanted.name}_{number + 1}"
    written = {**step, "name": name}
    if isinstance(wanted, FileStep):
        for option, path in wanted.files():
            beside = Path(os.path.relpath(Path(path).expanduser().resolve(), run.resolve())).as_posix()
            one = written[option]
            written[option] = beside if isinstance(one, str) else [beside if p == path else p for p in one]
    return _judge_by_hand(run, {**manifest, "curated": [*before, written]}, tell)[-1]


def take_off(run: Path, tell: Callable[[str], None]) -> str:
    """Undo the last corpus step that was added by hand: what it put out is back. Returns its name.

    Raises:
        UserError: there is none.
        RunFolderError: there is no run, or another process is at work on it.
    """
    manifest = read_manifest(run)
    *rest, last = manifest.get("curated") or [None]
    if last is None:
        raise UserError("no corpus step was added by hand", where=str(run))
    _judge_by_hand(run, {**manifest, "curated": rest}, tell)
    name: str = last["name"]
    return name


def _judge_by_hand(run: Path, manifest: dict[str, Any], tell: Callable[[str], None]) -> tuple[CorpusStep, ...]:
    steps = _checked(manifest["curated"], run)
    folder = RunFolder(run, read_manifest(run))
    try:
        journal = Journal(run / "journal")
        try:
            judge(journal, run, BY_HAND, steps, fingerprint_of(steps), tell)
        finally:
            journal.close()
        folder.note(manifest)
        fold(run)
    finally:
        folder.close()
    return steps


def _checked(steps: Sequence[Mapping[str, Any]], folder: Path) -> tuple[CorpusStep, ...]:
    if not steps:
        return ()
    draft = read_pipeline({"pipeline": "by/hand", "imports": ["rationale"], "corpus": [dict(s) for s in steps]}, folder)
    return draft.checked().corpus
