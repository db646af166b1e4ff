"""A whole run: check, read, ask, commit, materialize."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any

from synth import __version__
from synth.calls import Budget, Caller, Executions, Ledger
from synth.engine.corpus import by_hand, commit, fingerprint_of, judge_run
from synth.engine.earlier import Earlier, InputName
from synth.engine.garbage import rare_garbage_collection
from synth.engine.goal import Goal
from synth.engine.materializing import Materializer
from synth.engine.models import by_name, identity, probe_models
from synth.engine.progress import Progress
from synth.engine.state import StateWriter
from synth.engine.summary import Summary
from synth.engine.target import Target
from synth.engine.todo import Todo, check_rows, first_of_input
from synth.engine.units import run_unit
from synth.engine.workers import Workers, units_in_flight
from synth.errors import RunFolderError, Stopped
from synth.models import Model
from synth.pipeline import Pipeline
from synth.reach import Reach
from synth.records import Rationale, content_id
from synth.sources import Given, Source
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.manifest import Manifest
from synth.store.run_folder import RunFolder

__all__ = ["run_pipeline"]


async def run_pipeline(
    pipeline: Pipeline,
    source: Source,
    run: Path,
    models: Mapping[str, Sequence[Model]],
    *,
    limit: int | None = None,
    skip_invalid: bool = False,
    budget: Budget | None = None,
    until: Target | None = None,
    again: frozenset[str] = frozenset(),
    again_only: bool = False,
    no_retry_failed: bool = False,
    replace_input: bool = False,
    remember: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Summary:
    """Run a checked pipeline, or resume it.

    Args:
        pipeline: what to do.
        source: the problems.
        run: the run folder.
        models: the models that play each role.
        limit: only the first so many problems.
        skip_invalid: continue with the good rows where some are bad; else that is an error before any call.
        budget: what may be spent.
        until: the yield to stop at, counted when the corpus steps have run: where they leave fewer, more units are begun. When
            it is reached, those in flight end.
        again: units to do again though they are done (their failures may succeed now; replies on record are used).
        again_only: begin no other units.
        no_retry_failed: replies on record that were of no use (refused, cut off, empty) stand; else they are asked again
            where a unit is done again.
        replace_input: exclude units of earlier sessions that the source (or `limit`) has no more; without it that is an error.
        remember: more to note in `run.json`, so that the run can be taken up by `retry`.
        progress: counts for a progress bar.
        on_note: called with lines to show the user.

    Raises:
        InputError: bad rows; nothing was asked.
        RunFolderError: the folder cannot be used; units would be excluded from it. Nothing was asked, and nothing changed.
        SetupError: a model can never answer; a limit on cost, and no price.
    """
    progress = progress or Progress()
    report = on_note or (lambda _: None)
    if budget is not None:
        budget.check(t for some in models.values() for t in some)
    with ExitStack() as stack:
        stack.enter_context(rare_garbage_collection)
        progress.enter("starting", "reading the input")
        found = check_rows(source, skip_invalid, report)
        progress.total = min(found, limit) if limit is not None else found
        folder = RunFolder(
            run,
            Manifest.of(
                pipeline=pipeline.pipeline,
                synth=__version__,
                fingerprint=pipeline.fingerprint(),
                described=pipeline.described(),
                introduced=pipeline.introduced(),
                corpus=[s.described() for s in pipeline.corpus],
                writers=[s.name for s in pipeline.model_steps if Rationale in s.gives_types()],
                judges=[s.name for s in pipeline.model_steps if s.judges()],
                source=source.describe(),
                limit=limit,
                models={role: [identity(t) for t in some] for role, some in models.items()},
                **(remember or {}),
            ),
            later=True,
        )
        stack.callback(folder.close)
        problems = first_of_input(source, limit)
        work = _Run(
            pipeline, problems, source.media, folder, models, budget, until, again, no_retry_failed, progress, report
        )
        work.again_only = again_only
        try:
            now = InputName(source.name, limit)
            work.earlier.check_models(work.by_name.values())
            work.gone = work.earlier.gone_from(first_of_input(source, limit), now, replace=replace_input)
            folder.begin()
            work.earlier.note_pipeline(pipeline.pipeline, report)
        except BaseException:
            work.abandon()
            raise
        with StateWriter(folder.path, progress) as state:
            summary = await work.go()
            state.stopped = summary.stopped
        summary.notes += source.notes()
        return summary


class _Run:
    """One session of a run."""

    def __init__(
        self,
        pipeline: Pipeline,
        problems: Iterator[Given],
        media: Reach,
        folder: RunFolder,
        models: Mapping[str, Sequence[Model]],
        budget: Budget | None,
        until: Target | None,
        again: frozenset[str],
        no_retry_failed: bool,
        progress: Progress,
        report: Callable[[str], None],
    ) -> None:
        self.pipeline = pipeline
        self.problems = problems
        self.media = media
        self.folder = folder
        self.models = models
        self.by_name = by_name(models)
        self.until = until
        self.goal = Goal(until)
        self.again = again
        self.again_only = False
        self.progress = progress
        self.report = report
        self.gone: set[str] = set()
        """Units that are done, and that are not in the input any more."""
        self.committed = 0
        self.not_begun = 0
        self.stale = 0
        """Of these, units that were done by another pipeline, or by other models."""
        self.journal = Journal(folder.path / "journal", on_error=self._cannot_write)
        self.ledger = Ledger(self.journal)
        self.executions = Executions(self.journal)
        try:
            self.earlier = Earlier(folder, self.journal, self.ledger, self.executions, until)
            self.earlier.check_pipeline(pipeline.pipeline)
            if self.folder.manifest.curated:
                by_hand(folder.path)  # else what is wrong with them is seen when all is paid for
        except BaseException:
            self.journal.close()
            raise
        self.caller = Caller(
            self.ledger, budget, no_retry_failed=no_retry_failed, on_note=report, on_retry=self._begin_more
        )
        self.caller.executions = self.executions
        self.loop = asyncio.get_running_loop()
        self.beside = ThreadPoolExecutor(1, "store")  # always the same: each thread keeps memory of its own
        self.materializer = Materializer(folder.path, self.journal, self.beside)
        self.fingerprint = content_id(
            [pipeline.fingerprint(), {role: [identity(t) for t in some] for role, some in sorted(models.items())}]
        )
        progress.calls, progress.ledger, progress.waits = self.caller.counts, self.ledger, self.caller.waiting
        progress.before = progress.total_spent
        progress.until = f"{until.n:,} {until.words}" if until is not None else None
        progress.before_corpus = bool(pipeline.corpus or self.folder.manifest.curated)
        in_flight = units_in_flight(sum(t.concurrency for t in self.by_name.values())) if self.by_name else 16
        self.started = False
        self.todo = Todo(self._todo(), in_flight)
        self.workers = Workers(self.todo, self.goal, self.caller, in_flight, self._do, self._close)

    def _cannot_write(self, error: OSError) -> None:
        stopped = Stopped(
            f"the run folder can no longer be written: {error.strerror}",
            where=str(self.folder.path),
            fix="make room (or repair the folder) and give the same command again: everything written so far is kept",
        )
        self.loop.call_soon_threadsafe(self._close, stopped)

    def _close(self, why: Stopped) -> None:
        if self.caller.closing is None:
            self.caller.close(why)
            self.progress.enter("stopping", "stopping: waiting for calls in flight")

    def _begin_more(self) -> None:
        self.workers.begin_more()

    async def go(self) -> Summary:
        try:
            stopped = await self._go()
            self.progress.enter("storing", "storing the results in DuckDB")
            return await self.loop.run_in_executor(self.beside, self._summary, stopped)
        finally:
            try:
                self.beside.shutdown()
            except KeyboardInterrupt:  # a second interrupt; asyncio would show a long traceback
                raise asyncio.CancelledError from None

    def abandon(self) -> None:
        """End before anything was done."""
        self.journal.close()
        self.beside.shutdown()

    async def _go(self) -> Stopped | None:
        """All but the last materialization; returns why it stopped early, if it did."""
        stopped: Stopped | None = None
        try:
            self._report_changes()
            async with AsyncExitStack() as stack:
                while True:
                    stopped = await self._units(stack)
                    if self.until is None or stopped is not None:
                        await stack.aclose()  # what the models hold in memory, the corpus steps may need
                    if stopped is not None:
                        break
                    self._exclude_gone()
                    self.journal.flush()
                    self.progress.enter("corpus_steps", "corpus steps")
                    await self.loop.run_in_executor(self.beside, self._corpus)
                    if self.until is None or not await self._more(self.until):
                        break
            if stopped is None and self.until is not None:
                for given in self.todo:
                    self.not_begun += 1
                    self.stale += bool(self.earlier.done.get(given.problem.id))
            self.journal.flush()
        except Stopped as error:
            stopped = stopped or error
        finally:
            await self.executions.close()
            self.journal.close()
        return stopped

    async def _more(self, until: Target) -> bool:
        """Count what is kept in the end; where that is too little and problems are left, set the units another goal.

        Raises:
            Stopped: the run was interrupted meanwhile.
        """
        kept = await self.loop.run_in_executor(self.beside, self._count_kept, until)
        self.goal.look(kept)
        if self.goal.missing <= 0 or not self.todo.is_any_left():
            return False
        looking = fingerprint_of([*self.pipeline.corpus, *by_hand(self.folder.path)])
        state = {"made_by": self.fingerprint, "looked_at_by": looking, "of": until.of, "kept": kept}
        if self.goal.is_in_vain:
            self.folder.remember(kept_no_more=state)
        if (
            self.folder.manifest.kept_no_more == state
        ):  # a cap that is full, say: all the input would be paid for in vain
            self.goal.full = True
            return False
        if self.caller.closing is not None:
            raise self.caller.closing
        self.goal.set_further()
        self.report(
            f"{kept:,} of the {until.n:,} {until.words} are kept after the corpus steps: more problems are begun"
        )
        return True

    def _count_kept(self, until: Target) -> int:
        self.journal.flush()
        with suppress(OSError, RunFolderError):  # the journal has it all, and is read
            self.materializer.materialize()
        with open_store(self.folder.path) as store:
            return int(store.sql(until.query).fetchall()[0][0])

    def _report_changes(self) -> None:
        earlier = self.folder.earlier
        if earlier is not None and earlier.fingerprint != self.pipeline.fingerprint():
            self.report(
                "the pipeline has changed since the last session: units are done again, and only what changed is asked"
            )

    async def _units(self, stack: AsyncExitStack) -> Stopped | None:
        """Do units until none is left or the goal is reached; returns why it stopped early, if it did.

        Args:
            stack: holds the models, from when the first unit is begun.
        """
        if not self.todo.is_any_left() or self.workers.is_enough:
            return self.caller.closing
        if not self.started:
            await self._start(stack)
        self.progress.enter("asking", "asking")
        await self.workers.run()
        return self.caller.closing

    async def _start(self, stack: AsyncExitStack) -> None:
        """Bring up all that asks, and what goes on beside it.

        Raises:
            SetupError: a model lacks what a step needs.
        """
        self.progress.enter("starting", "starting the models")
        for model in self.by_name.values():
            model.attach_state(self.ledger.state_of(model.name, self.report))
            await stack.enter_async_context(model)
        self.progress.enter("starting", "asking what the models can do")
        await probe_models(self.pipeline, self.models, self.caller, self.report)
        with suppress(NotImplementedError, ValueError, RuntimeError):  # not in this thread, or not on this system
            for how in (signal.SIGINT, signal.SIGTERM):
                self.loop.add_signal_handler(how, self._interrupted)
                stack.callback(self.loop.remove_signal_handler, how)
        along = self.materializer.along(self.workers.all_begun, lambda: (self.ledger.calls, self.committed))
        await stack.enter_async_context(along)
        self.started = True

    def _exclude_gone(self) -> None:
        """Exclude units that are no longer in the input, so that a run is what its command says."""
        for unit in self.gone:
            commit(self.journal, unit, "", [])
        if self.gone:
            self.committed += len(self.gone)
            self.report(
                f"{len(self.gone)} problems of earlier sessions are not in this input any more and were excluded; "
                "should they come back, their calls are on record"
            )
        self.gone = set()

    def _todo(self) -> Iterator[Given]:
        for given in self.problems:
            unit = given.problem.id
            if self.earlier.done.get(unit) == self._fingerprint_of(given) and unit not in self.again:
                self.progress.earlier += 1
                self.goal.count_earlier(self.earlier.kept.get(unit, 0))
            elif not self.again_only or unit in self.again:
                yield given
            else:
                self.progress.total -= 1

    def _fingerprint_of(self, given: Given) -> str:
        """All a unit's outcome depends on, beside its problem: the run's, and what the source brings of it."""
        return content_id([self.fingerprint, [r.id for r in given.records]]) if given.records else self.fingerprint

    def _interrupted(self) -> None:
        if self.caller.closing is not None:  # the second time: at once
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
        self._close(Stopped("interrupted", fix="give the same command again to resume: nothing paid is paid twice"))

    async def _do(self, given: Given) -> None:
        records = await run_unit(given, self.pipeline, self.caller, self.models, self.progress, self.media)
        id_ = given.problem.id
        commit(self.journal, id_, self._fingerprint_of(given), records, first=id_ not in self.earlier.done)
        self.committed += 1
        self.progress.done += 1
        self.goal.count(records)

    def _corpus(self) -> None:
        judged, changed = self.earlier.judged, self.committed > 0
        judge_run(self.journal, self.folder.path, self.pipeline.corpus, judged, changed, self.report)

    def _summary(self, stopped: Stopped | None) -> Summary:
        summary = Summary(
            self.folder.path,
            self.progress,
            stopped,
            cost=self.ledger.cost,
            unpriced=self.ledger.unpriced,
            not_begun=self.not_begun,
        )
        if self.until is not None and stopped is None:
            summary.notes.append(self.goal.note(self.not_begun, self.stale))
        try:
            summary.stored = self.materializer.materialize()
            summary.read_store()
        except (OSError, RunFolderError) as error:
            summary.stored = False
            summary.notes.append(f"the results could not be stored in DuckDB: {error}")
        self.progress.enter("finished" if stopped is None else "stopped", "done")
        return summary
