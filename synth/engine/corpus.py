"""Corpus steps over a run: those of its pipeline, and those that were added manually."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.corpus import CorpusStep
from synth.corpus.step import FileStep
from synth.corpus.view import StoreView
from synth.engine.signature import is_signed, sign
from synth.errors import PipelineError, RunFolderError, UserError
from synth.pipeline import Draft, read_pipeline
from synth.records import UnitRecord, content_id
from synth.store.commits import commit_body
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.manifest import MANIFEST, Manifest, read_manifest
from synth.store.materialize import materialize
from synth.store.owners import BY_HAND, CORPUS
from synth.store.run_folder import RunFolder

__all__ = ["add_by_hand", "adopt", "by_hand", "commit", "fingerprint_of", "judge_run", "take_off"]


def commit(
    journal: Journal, owner: str, fingerprint: str, records: Iterable[UnitRecord], *, first: bool = False
) -> None:
    """Note what an owner made, instead of what it made before; arguments as in `commit_body`."""
    journal.append("commit", commit_body(owner, fingerprint, records, first=first))


def judge_run(
    journal: Journal,
    run: Path,
    steps: Sequence[CorpusStep],
    judged: Mapping[str, str | None],
    changed: bool,
    report: Callable[[str], None],
) -> None:
    """Apply the corpus steps of the pipeline, then those that were added manually, unless they have looked at just this.

    Args:
        journal: of the run.
        run: the run folder.
        steps: the corpus steps of the pipeline.
        judged: the fingerprints of the steps that looked last, by owner; None where none did.
        changed: whether units were done since then.
        report: called with what steps have to say.
    """
    added = by_hand(run)
    if not (steps or added or any(fingerprint is not None for fingerprint in judged.values())):
        return
    wanted = {CORPUS: fingerprint_of(steps), BY_HAND: fingerprint_of(added) if added else ""}
    if judged == wanted and not changed:
        return
    # What an earlier session rejected is judged again.
    commit(journal, BY_HAND, "", [])
    _judge(journal, run, CORPUS, steps, wanted[CORPUS], report)
    if added:
        _judge(journal, run, BY_HAND, added, wanted[BY_HAND], report)


def _judge(
    journal: Journal,
    run: Path,
    owner: str,
    steps: Sequence[CorpusStep],
    fingerprint: str,
    report: Callable[[str], None],
) -> None:
    """Apply corpus steps to a run, one after the other, each to what those before it left.

    Args:
        journal: of the run.
        run: the run folder.
        owner: whose rows they make; what it made before is gone.
        steps: what is done.
        fingerprint: noted with the last row, so that it can be seen whether all was done.
        report: called with what steps have to say.
    """
    commit(journal, owner, "" if steps else fingerprint, [])
    made: list[UnitRecord] = []
    for left, step in zip(reversed(range(len(steps))), steps, strict=True):
        journal.flush()
        materialize(run, journal.began)
        with open_store(run) as store:
            for one in step.run(StoreView(store)):
                if isinstance(one, str):
                    report(f"{step.name}: {one}")
                else:
                    made.append(one)
        commit(journal, owner, "" if left else fingerprint, made)
    journal.flush()


def fingerprint_of(steps: Iterable[CorpusStep]) -> str:
    """Changes when the steps would come out otherwise on the same units."""
    return content_id([s.described() for s in steps])


def by_hand(run: Path) -> tuple[CorpusStep, ...]:
    """The corpus steps that were added to a run manually, in order.

    Raises:
        RunFolderError: there is no run; somebody else added them, and they name files outside of the run folder.
        PipelineError: they do not pass the static check (a file that one reads is gone).
    """
    manifest = read_manifest(run)
    return _taken(_curated(manifest), manifest, run)


def adopt(run: Path) -> None:
    """Take the corpus steps that somebody else added manually as this user's own: they may name files anywhere.

    Raises:
        RunFolderError: there is no run, or another process is at work on it.
    """
    folder = RunFolder(run)
    try:
        curated = _curated(folder.manifest)
        folder.remember(curated=curated, curated_signature=sign({"curated": curated}))
    finally:
        folder.close()


def add_by_hand(run: Path, step: Mapping[str, Any], report: Callable[[str], None]) -> CorpusStep:
    """Apply one more corpus step to what a run has kept; it runs again after every later session.

    The step that was added last is not added twice: after a kill the same command can be given again.

    Args:
        run: the run folder.
        step: as in a pipeline file; files are read from beside the working folder.
        report: called with what it has to say.

    Returns:
        The step as it was taken, under a name that no other step of the run has.

    Raises:
        RunFolderError: there is no run, or another process is at work on it.
        PipelineError: the step does not pass the static check; nothing was changed.
    """
    (wanted,) = _checked([step], Path())
    written = dict(step)
    if isinstance(wanted, FileStep):
        for option, path in wanted.files():
            beside = Path(os.path.relpath(Path(path).expanduser().resolve(), run.resolve())).as_posix()
            one = written[option]
            written[option] = beside if isinstance(one, str) else [beside if p == path else p for p in one]

    def added(manifest: Manifest) -> list[dict[str, Any]]:
        before = _curated(manifest)
        if before and before[-1] == {"name": before[-1]["name"], **written}:
            return before
        taken = {"input", *(s.name for s in [*manifest.described.steps, *manifest.corpus, *manifest.curated])}
        number, name = 1, wanted.name
        while name in taken:
            number, name = number + 1, f"{wanted.name}_{number + 1}"
        return [*before, {**written, "name": name}]

    return _judge_by_hand(run, added, report)[-1]


def take_off(run: Path, report: Callable[[str], None]) -> str:
    """Undo the last corpus step that was added manually: what it rejected is back. Returns its name.

    Raises:
        UserError: there is none.
        RunFolderError: there is no run, or another process is at work on it.
    """
    names: list[str] = []

    def without_last(manifest: Manifest) -> list[dict[str, Any]]:
        curated = _curated(manifest)
        if not curated:
            raise UserError("no corpus step was added manually", where=str(run))
        names.append(curated[-1]["name"])
        return curated[:-1]

    _judge_by_hand(run, without_last, report)
    return names[0]


def _curated(manifest: Manifest) -> list[dict[str, Any]]:
    """The corpus steps that were added manually, as in a pipeline file."""
    return [step.model_dump(exclude_unset=True) for step in manifest.curated]


def _judge_by_hand(
    run: Path, change: Callable[[Manifest], list[dict[str, Any]]], report: Callable[[str], None]
) -> tuple[CorpusStep, ...]:
    """Let other corpus steps look at a run than those that were added by hand so far.

    Args:
        run: the run folder.
        change: gives the steps, by the manifest; nobody else changes it meanwhile.
        report: called with what they have to say.
    """
    folder = RunFolder(run)
    try:
        before, curated = _curated(folder.manifest), change(folder.manifest)
        _taken([step for step in curated if step in before], folder.manifest, run)
        steps = _checked(curated, run)
        journal = Journal(run / "journal")
        try:
            _judge(journal, run, BY_HAND, steps, fingerprint_of(steps), report)
        finally:
            journal.close()
        folder.remember(curated=curated, curated_signature=sign({"curated": curated}))
        materialize(run, journal.began)
    finally:
        folder.close()
    return steps


def _taken(steps: Sequence[Mapping[str, Any]], manifest: Manifest, run: Path) -> tuple[CorpusStep, ...]:
    """Corpus steps that a manifest names. Those that this user did not add name files of the run folder alone."""
    if not steps or is_signed({"curated": _curated(manifest)}, manifest.curated_signature):
        return _checked(steps, run)
    try:
        return _draft(steps, run, ()).checked().corpus
    except PipelineError as error:
        raise RunFolderError(
            f"corpus steps that were added by hand, and not by you, or not on this machine, do not pass:\n{error}",
            where=str(run / MANIFEST),
            fix="take them as yours, so that they may name these files: synth curate RUN --yes; or take the last one off: "
            "synth curate RUN --undo",
        ) from error


def _checked(steps: Sequence[Mapping[str, Any]], folder: Path) -> tuple[CorpusStep, ...]:
    return _draft(steps, folder, None).checked().corpus if steps else ()


def _draft(steps: Sequence[Mapping[str, Any]], folder: Path, allowed: Sequence[Path] | None) -> Draft:
    """A pipeline of corpus steps alone; `allowed` as `media_from` of `read_pipeline`."""
    given = {"pipeline": "by/hand", "imports": ["rationale"], "corpus": [dict(step) for step in steps]}
    return read_pipeline(given, folder, allowed)
