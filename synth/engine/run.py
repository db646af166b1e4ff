"""A whole run: check, read, ask, commit, materialize."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from synth import __version__
from synth.calls import Budget, Caller, Executions, Ledger, next_stage
from synth.engine.corpus import by_hand, commit, fingerprint_of, judge
from synth.engine.progress import Progress
from synth.engine.state import StateWriter
from synth.engine.target import Target
from synth.engine.units import run_unit
from synth.errors import InputError, RunFolderError, SetupError, Stopped
from synth.files import Reach
from synth.models import Completion, Model, Request, probe
from synth.pipeline import Pipeline
from synth.records import Rationale, content_id
from synth.sources import Given, Source
from synth.store.database import Store, open_store
from synth.store.entries import LAYOUT, read_journal
from synth.store.invented import SCRIPTED, invented_in
from synth.store.journal import Journal
from synth.store.manifest import Manifest
from synth.store.materialize import materialize
from synth.store.owners import BY_HAND, CORPUS, HUMAN_OWNER
from synth.store.run_folder import RunFolder

__all__ = ["Summary", "run_pipeline"]

UNITS_AHEAD = 1.25
"""Units in flight for each call that may be: enough to keep the models busy, few enough to keep memory flat."""

MOST_AHEAD = 8
"""And so many times as many at most, where calls of units wait for another attempt: others continue in their place."""
BURST = 64
"""Problems read at once, at most; fewer where fewer are in flight."""
BURST_SECONDS = 0.01
"""Seconds of reading before other tasks have a turn."""

MATERIALIZE_SECONDS, MATERIALIZE_PAUSE = 1.0, 3.0
"""Seconds between two materializations of the journal while the run is at work; the pause is at least so many times the work of the last one."""
LAST_MATERIALIZE_SECONDS = 0.1
"""The former once every unit has started: materializing while the last calls are in flight shortens the last materialization."""

LEAST_KEPT = 0.05
"""The smallest share kept by corpus steps that is reckoned with when more units are begun: some may keep none of the first ones."""

LEAST_IN_VAIN, IN_VAIN = 50, 0.25
"""Of what units keep, so many in a row, and so large a share of all before them, that none of it is kept in the end: then corpus steps
keep no more, as a cap that is full.
"""
LAST_SECONDS = 10.0
"""How long calls in flight may take to come home when the run ends in an error."""


@dataclass
class Summary:
    """How a run ended."""

    run: Path
    progress: Progress = field(repr=False)
    stopped: Stopped | None = None
    """Why it ended early, if it did."""
    funnel: list[tuple[str, int]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    """How many records could not be made, by cause."""
    retriable: int = 0
    """How many of these may succeed when they are asked again."""
    cost: float = 0.0
    """US dollars of all sessions, as far as prices are known."""
    unpriced: int = 0
    """Calls that a reply came for, and whose price is not known."""
    not_begun: int = 0
    """Problems that were not begun, because the yield asked for was reached before."""
    invented: str | None = None
    """The warning that the scripted model wrote text of this run; None where it did not."""
    stored: bool = True
    notes: list[str] = field(default_factory=list)

    def open(self) -> Store:
        """What the run made, open for reading; see `open_store`."""
        return open_store(self.run)

    def _repr_html_(self) -> str:
        """The funnel, as a notebook shows it."""
        rows = "".join(f"<tr><td>{escape(stage)}</td><td>{n:,}</td></tr>" for stage, n in self.funnel)
        cost = f"{self.cost:.4f} USD" + (f", price of {self.unpriced:,} calls unknown" if self.unpriced else "")
        failed = "".join(f"<br>{n:,} records could not be made: {escape(cause)}" for cause, n in self.failures.items())
        invented = f"<p><b>{escape(self.invented)}</b></p>" if self.invented else ""
        return f"<table>{rows}</table>{invented}<p>{escape(str(self.run))}: {cost}{failed}</p>"


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
        stack.enter_context(_rare_garbage_collection)
        progress.enter("starting", "reading the input")
        problems = _scan(source, skip_invalid, limit, progress, report)
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
                models={role: [_identity(t) for t in some] for role, some in models.items()},
                **(remember or {}),
            ),
            later=True,
        )
        stack.callback(folder.close)
        work = _Run(
            pipeline, problems, source.media, folder, models, budget, until, again, no_retry_failed, progress, report
        )
        work.again_only = again_only
        try:
            now = _Input(source.name, limit)
            work.compare_models()
            work.compare_input(_first(source.problems(), limit), now, replace=replace_input)
            folder.begin()
            work.note_pipeline()
        except BaseException:
            work.abandon()
            raise
        with StateWriter(folder.path, progress) as state:
            summary = await work.go()
            state.stopped = summary.stopped
        summary.notes += source.notes()
        return summary


def _scan(
    source: Source, skip_invalid: bool, limit: int | None, progress: Progress, report: Callable[[str], None]
) -> Iterator[Given]:
    scan = source.scan()
    if scan.bad:
        if not scan.good:
            raise source.nothing_fits(scan)
        n = len(scan.bad)
        shown = "\n".join(f"  line {b.line}: {b.why}" for b in scan.bad[:20]) + (
            f"\n  … and {n - 20} more" if n > 20 else ""
        )
        rows = f"{n} of {n + scan.good} rows {'are' if n != 1 else 'is'} not usable:\n{shown}"
        if not skip_invalid:
            fix = "correct them, or continue with the good ones: --skip-invalid"
            raise InputError(rows, where=source.name, fix=fix)
        report(f"{source.name}: {rows}\n  continuing with the other {scan.good}")
    progress.total = min(scan.problems, limit) if limit is not None else scan.problems
    return _first(source.problems(), limit)


def _first(problems: Iterator[Given], limit: int | None) -> Iterator[Given]:
    for count, problem in enumerate(problems):
        if limit is not None and count >= limit:
            return
        yield problem


class _Input(NamedTuple):
    """What a session works on."""

    name: str
    limit: int | None

    @property
    def words(self) -> str:
        """It in words."""
        return f"the first {self.limit:,} problems of {self.name}" if self.limit is not None else self.name


def _identity(model: Model) -> list[Any]:
    return [model.name, model.endpoint, model.model_id, dict(model.parameters)]


def _by_name(models: Mapping[str, Sequence[Model]]) -> dict[str, Model]:
    """Every model by its name.

    Raises:
        SetupError: two have the same.
    """
    named: dict[str, Model] = {}
    for model in (t for some in models.values() for t in some):
        if named.setdefault(model.name, model) is not model:
            what = f"two models have the name {model.name}: what each said could not be distinguished"
            raise SetupError(what, fix="give each a name of its own")
    return named


class _Run:
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
        self.by_name = _by_name(models)
        self.until = until
        self.goal = until.n if until is not None else 0
        """What the units are to have kept before the corpus steps look at them."""
        self.yielded: dict[str, int] = {}
        self.reached = 0
        """What the units done have kept, before the corpus steps."""
        self.counted = 0
        """How many units these are."""
        self.kept = 0
        """What is kept in the end."""
        self.most = 0
        """The most that was kept in the end in this session, and what the units had kept by then."""
        self.reached_then = 0
        self.full = False
        """Whether the corpus steps keep no more, even if more is made."""
        self.flying = 0
        """Units begun, and not done."""
        self.group: asyncio.TaskGroup | None = None
        self.workers = 0
        """Tasks that do one unit after the other."""
        self.landed = asyncio.Condition()
        self.again = again
        self.again_only = False
        self.progress = progress
        self.report = report
        self.done: dict[str, str] = {}
        self.forgotten: set[str] = set()
        """Units of which replies were forgotten: they are to be done again, and their records stand until then."""
        self.gone: set[str] = set()
        """Units that are done, and that are not in the input any more."""
        self.judged: dict[str, str | None] = {CORPUS: None, BY_HAND: None}
        """The fingerprints of the corpus steps that have looked at the run; "" where they did not come to an end."""
        self.committed = 0
        self.not_begun = 0
        self.stale = 0
        """Of these, units that were done by another pipeline, or by other models."""
        self.all_begun = asyncio.Event()
        self.named: set[str] = set()
        """The pipelines that the journal says it is of: one, unless it was merged with that of another run."""
        self.journal = Journal(folder.path / "journal", on_error=self._cannot_write)
        self.ledger = Ledger(self.journal)
        self.executions = Executions(self.journal)
        try:
            self._replay_journal()
            self._compare_pipeline()
            if self.folder.manifest.curated:
                by_hand(folder.path)  # else what is wrong with them is seen when all is paid for
        except BaseException:
            self.journal.close()
            raise
        self.caller = Caller(
            self.ledger,
            budget,
            no_retry_failed=no_retry_failed,
            on_note=report,
            on_retry=self._begin_more,
            executions=self.executions,
        )
        self.loop = asyncio.get_running_loop()
        self.beside = ThreadPoolExecutor(1, "store")  # always the same: each thread keeps memory of its own
        self.fingerprint = content_id(
            [pipeline.fingerprint(), {role: [_identity(t) for t in some] for role, some in sorted(models.items())}]
        )
        progress.calls, progress.ledger, progress.waits = self.caller.counts, self.ledger, self.caller.waiting
        progress.before = progress.total_spent
        progress.until = f"{until.n:,} {until.words}" if until is not None else None
        progress.before_corpus = bool(pipeline.corpus or self.folder.manifest.curated)
        self.in_flight = ceil(UNITS_AHEAD * sum(t.concurrency for t in self.by_name.values())) if self.by_name else 16
        self.started = False
        # One by one, and never started twice: what is read ahead when the yield is reached is there when more is needed.
        self.todo = _in_bursts(self._todo(), min(BURST, self.in_flight))

    def _replay_journal(self) -> None:
        """Take in what earlier sessions did: calls, units and corpus steps."""
        for location, entry in read_journal(self.journal.folder):
            kind, body = entry.kind, entry.body
            if kind == "call":
                self.ledger.note(location, body)
            elif kind == "execution":
                self.executions.note(location, body)
            elif kind == "note":
                self.ledger.note_of(body["model"], body["note"])
            elif kind == "run":
                self.named.add(body["pipeline"])
            elif kind == "forget":
                self.ledger.forget(body["key"])
                if (unit := body.get("unit")) is not None:
                    if self.done.get(unit):
                        self.forgotten.add(unit)
                    self.done[unit] = ""
            elif body["owner"] in self.judged:
                self.judged[body["owner"]] = body["fingerprint"]
            else:
                self.done[body["owner"]] = body["fingerprint"]
                self.forgotten.discard(body["owner"])
                if not body["owner"].startswith(HUMAN_OWNER):  # no corpus step has seen it yet
                    self.judged = {owner: judged and "" for owner, judged in self.judged.items()}
                if self.until is not None:
                    self.yielded[body["owner"]] = self.until.count_rows(body["records"])

    def _compare_pipeline(self) -> None:
        """Raise RunFolderError where the journal is of another pipeline, even if the manifest says otherwise or is missing."""
        if others := self.named - {self.pipeline.pipeline}:
            raise RunFolderError(
                f"the journal in this folder is of a run of {', '.join(sorted(others))}, not of {self.pipeline.pipeline}",
                where=str(self.journal.folder),
                fix="give another folder with --run",
            )

    def note_pipeline(self) -> None:
        """Write into the journal which pipeline it is of, so that it can be taken up where its manifest is lost; say so where it was."""
        if self.folder.recovered:
            more = (
                "" if self.named else "; the journal does not say of which pipeline it is, and is taken as one of this"
            )
            if self.judged[BY_HAND]:
                more += (
                    "; corpus steps that were added manually are lost with run.json: add them again with synth curate"
                )
            self.report(
                f"run.json was missing or could not be read, and is written again: the journal of the run is taken up{more}"
            )
        if not self.named:
            body = {"pipeline": self.pipeline.pipeline, "synth": __version__, "format": LAYOUT}
            self.journal.append("run", orjson.dumps(body))

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

    def compare_models(self) -> None:
        """Find out whether the scripted model would take the place of language models.

        Raises:
            RunFolderError: it would, and units are done already.
        """
        earlier = self.folder.earlier
        if earlier is not None:
            had = [(name, endpoint) for some in earlier.models.values() for name, endpoint, *_ in some]
        else:  # where the manifest is lost, the journal knows
            had = [(model, endpoint) for endpoint, model in sorted(self.ledger.answered)]
        scripted = sorted(t.name for t in self.by_name.values() if t.endpoint.startswith(SCRIPTED))
        if not scripted or not had or any(at.startswith(SCRIPTED) for _, at in had) or not any(self.done.values()):
            return
        names = ", ".join(dict.fromkeys(name for name, _ in had))
        raise RunFolderError(
            f"this run was made with language models ({names}); the scripted model ({', '.join(scripted)}) would replace what they "
            "wrote with invented text",
            where=str(self.folder.path),
            fix="give the rehearsal a folder of its own: --run",
        )

    def compare_input(self, present: Iterator[Given], now: _Input, *, replace: bool) -> None:
        """Find out which units of earlier sessions are not in the input any more.

        Args:
            present: the input, all of it that is to be done.
            now: what it is.
            replace: whether such units may be excluded from the run.

        Raises:
            RunFolderError: there are some, and they may not.
        """
        held = {unit for unit, fingerprint in self.done.items() if fingerprint} | self.forgotten
        missing, new = set(held), 0
        if missing:
            for given in present:
                missing.discard(given.problem.id)
                new += given.problem.id not in held
                if not missing:
                    break
        self.gone = missing
        if missing and not replace:
            earlier = self.folder.earlier
            before = _Input("an input", None)
            if earlier is not None and earlier.source is not None:
                before = _Input(earlier.source.name, earlier.limit)
            what = (
                f"{len(missing):,} of the {len(held):,} problems of this run are not in {now.words}: they would be excluded from the "
                f"run, and {new:,} problems would be new. The run was made with {before.words}"
            )
            raise RunFolderError(
                what,
                where=str(self.folder.path),
                fix="give the other input a folder of its own (--run); or exclude these problems with synth run … --replace-input "
                "(replace_input=True in Python): their calls stay on record",
            )

    def abandon(self) -> None:
        """End before anything was done."""
        self.journal.close()
        self.beside.shutdown()

    async def _go(self) -> Stopped | None:
        """All but the last materialization; returns why it stopped early, if it did."""
        stopped: Stopped | None = None
        try:
            self._tell_of_changes()
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
                    self.stale += bool(self.done.get(given.problem.id))
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
        self.kept = await self.loop.run_in_executor(self.beside, self._count_kept, until)
        missing = until.n - self.kept
        if missing <= 0 or not self._is_any_left():
            return False
        if self.kept > self.most:
            self.most, self.reached_then = self.kept, self.reached
        in_vain = self.reached - self.reached_then
        looking = fingerprint_of([*self.pipeline.corpus, *by_hand(self.folder.path)])
        state = {"made_by": self.fingerprint, "looked_at_by": looking, "of": until.of, "kept": self.kept}
        if in_vain >= max(LEAST_IN_VAIN, IN_VAIN * self.reached_then):
            self.folder.remember(kept_no_more=state)
        if (
            self.folder.manifest.kept_no_more == state
        ):  # a cap that is full, say: all the input would be paid for in vain
            self.full = True
            return False
        if self.caller.closing is not None:
            raise self.caller.closing
        # Corpus steps may reject most of what is made: half of what it takes at this rate, so that little is made in vain and the
        # steps, which look at all there is each time, need not run often.
        rate = max(LEAST_KEPT, min(1.0, self.kept / self.reached)) if self.reached else 1.0
        self.goal = self.reached + max(missing, ceil(missing / rate / 2), in_vain)
        self.report(
            f"{self.kept:,} of the {until.n:,} {until.words} are kept after the corpus steps: more problems are begun"
        )
        return True

    def _count_kept(self, until: Target) -> int:
        self.journal.flush()
        with suppress(OSError, RunFolderError):  # the journal has it all, and is read
            materialize(self.folder.path, self.journal.began)
        with open_store(self.folder.path) as store:
            return int(store.sql(until.query).fetchall()[0][0])

    def _is_any_left(self) -> bool:
        """Whether there is a problem that is not begun; it stays the next one."""
        given = next(self.todo, None)
        if given is None:
            return False
        self.todo = _chain(given, self.todo)
        return True

    def _tell_of_changes(self) -> None:
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
        if not self._is_any_left() or self._enough():
            return self.caller.closing
        if not self.started:
            await self._start(stack)
        self.progress.enter("asking", "asking")
        self.all_begun.clear()
        try:
            async with asyncio.TaskGroup() as group:
                self.group = group
                for _ in range(self.in_flight):
                    self._begin_worker(group)
        except BaseExceptionGroup as group_of_errors:
            error = _first_of(group_of_errors)
            if not isinstance(error, Stopped):
                self.caller.close(Stopped("another model failed"))
                await self.caller.drain(LAST_SECONDS)
                raise error from None
            self._close(error)
        except asyncio.CancelledError:
            if self.caller.closing is None:
                raise
        finally:
            self.group, self.workers = None, 0
        await self.caller.drain()
        return self.caller.closing

    def _begin_worker(self, group: asyncio.TaskGroup) -> None:
        work = self._work()
        try:
            group.create_task(work)
            self.workers += 1
        except RuntimeError:  # the group is ending
            work.close()

    def _begin_more(self) -> None:
        """Let another unit be done in the place of one whose call waits for another attempt."""
        most = min(MOST_AHEAD * self.in_flight, self.in_flight + self.caller.counts.retrying)
        if self.group is not None and not self.all_begun.is_set() and self.workers < most:
            self._begin_worker(self.group)

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
        await self._probe()
        with suppress(NotImplementedError, ValueError, RuntimeError):  # not in this thread, or not on this system
            for how in (signal.SIGINT, signal.SIGTERM):
                self.loop.add_signal_handler(how, self._interrupted)
                stack.callback(self.loop.remove_signal_handler, how)
        await stack.enter_async_context(self._materializing_along())
        self.started = True

    @asynccontextmanager
    async def _materializing_along(self) -> AsyncIterator[None]:
        """Materialize while calls are in flight, so that little is left to do at the end."""
        ended, all_begun = asyncio.Event(), self.all_begun

        def work() -> float:
            begun = time.thread_time()
            with suppress(OSError, RunFolderError):  # reported at the end, where it matters
                materialize(self.folder.path, self.journal.began)
            return time.thread_time() - begun

        async def materialize_now_and_then() -> None:
            done, pause = (self.ledger.calls, self.committed), MATERIALIZE_SECONDS
            while not ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for((ended if all_begun.is_set() else all_begun).wait(), pause)
                written, took = (self.ledger.calls, self.committed), 0.0
                if written != done and not ended.is_set():
                    took, done = await self.loop.run_in_executor(self.beside, work), written
                pause = max(
                    LAST_MATERIALIZE_SECONDS if all_begun.is_set() else MATERIALIZE_SECONDS, MATERIALIZE_PAUSE * took
                )

        task = asyncio.create_task(materialize_now_and_then())
        try:
            yield
        finally:
            ended.set()
            all_begun.set()
            with suppress(asyncio.CancelledError):  # a second interrupt ends it too
                await task

    async def _probe(self) -> None:
        """Find out what steps have use for and the profile does not say.

        Raises:
            SetupError: a model lacks what a step needs.
        """
        for step in self.pipeline.model_steps:
            for model in (t for role in step.roles() for t in self.models[role]):
                needs = step.needs_of_models()
                unclear = await probe(model, needs | step.uses_of(model), self._ask_probe)
                for capability, why in unclear.items():
                    what = f"whether model {model.name} has {capability} could not be found out: {why}"
                    if capability in needs:
                        say = f"give the same command again, or say it in the profile: capabilities: [{capability}]"
                        raise SetupError(what, fix=say)
                    self.report(f"{what} (continuing without it)")
                for lacking in sorted(needs - model.capabilities):
                    what = f"step {step.name} needs {lacking}, and model {model.name} does not have it (checked with a test request)"
                    raise SetupError(what, fix=f"bind another model: --model {step.roles()[0]}=NAME")

    async def _ask_probe(self, model: Model, request: Request) -> Completion:
        return await self.caller.ask(model, request, unit="probe")

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
            if self.done.get(unit) == self._fingerprint_of(given) and unit not in self.again:
                self.progress.earlier += 1
                self.counted += 1
                self.reached += self.yielded.get(unit, 0)
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

    async def _work(self) -> None:
        while (given := await self._next()) is not None:
            self.flying += 1
            try:
                records = await run_unit(given, self.pipeline, self.caller, self.models, self.progress, self.media)
                id_ = given.problem.id
                commit(self.journal, id_, self._fingerprint_of(given), records, first=id_ not in self.done)
                self.committed += 1
                self.progress.done += 1
                if self.until is not None:
                    self.reached += self.until.count(records)
                    self.counted += 1
            except Stopped as why:
                self._close(why)
                return
            except BaseExceptionGroup as group:  # of a step that asked many at once
                error = _first_of(group)
                if not isinstance(error, Stopped):
                    raise error from None
                self._close(error)
                return
            finally:
                self.flying -= 1
                if self.until is not None:
                    async with self.landed:
                        self.landed.notify_all()
            await next_stage()
            if self.workers > self.in_flight + self.caller.counts.retrying:
                self.workers -= 1
                return
        self.all_begun.set()

    async def _next(self) -> Given | None:
        """The next problem to begin; None where no more is to be begun.

        Where the units in flight are expected to bring what is missing, at the rate of those done, it waits for one of them: what
        is made beyond the goal is paid for in vain.
        """
        while not self._enough():
            expected = self.flying * (self.reached + 1) / (self.counted + 1)
            if self.until is None or not self.flying or self.reached + expected < self.goal:
                return next(self.todo, None)
            async with self.landed:
                await self.landed.wait()
        return None

    def _enough(self) -> bool:
        return self.caller.closing is not None or (self.until is not None and self.reached >= self.goal)

    def _corpus(self) -> None:
        added = by_hand(self.folder.path)
        if not (self.pipeline.corpus or added or any(judged is not None for judged in self.judged.values())):
            return
        wanted = {CORPUS: fingerprint_of(self.pipeline.corpus), BY_HAND: fingerprint_of(added) if added else ""}
        if self.judged == wanted and not self.committed:
            return
        # What an earlier session rejected is judged again.
        commit(self.journal, BY_HAND, "", [])
        judge(self.journal, self.folder.path, CORPUS, self.pipeline.corpus, wanted[CORPUS], self.report)
        if added:
            judge(self.journal, self.folder.path, BY_HAND, added, wanted[BY_HAND], self.report)

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
            more = f"; {self.not_begun:,} problems were not begun" if self.not_begun else ", and no problem is left"
            if self.full:
                more += ": the corpus steps kept none of the last ones, so that more would be made in vain"
            if self.stale:
                more += f", {self.stale:,} of them with records of an earlier pipeline or other models, which count too"
            counted = f"{self.kept:,} {self.until.words} kept in the end, after the corpus steps"
            summary.notes.append(f"{counted}, of the {self.until.n:,} asked for{more}")
        try:
            summary.stored = materialize(self.folder.path, self.journal.began)
            with open_store(self.folder.path) as store:
                invented = invented_in(store)
                summary.invented = invented.sentence if invented is not None else None
                summary.funnel = [
                    (s, n) for s, n in store.sql("SELECT stage, n FROM funnel ORDER BY position").fetchall()
                ]
                summary.retriable = store.sql("SELECT count(*) FROM failures WHERE retriable").fetchall()[0][0]
                summary.failures = dict(
                    store.sql("SELECT cause, count(*) FROM failures GROUP BY 1 ORDER BY 2 DESC").fetchall()
                )
        except (OSError, RunFolderError) as error:
            summary.stored = False
            summary.notes.append(f"the results could not be stored in DuckDB: {error}")
        self.progress.enter("finished" if stopped is None else "stopped", "done")
        return summary


class _RareGarbageCollection:
    """Look for cycles among what is new, and seldom: to visit every unit in flight repeatedly is a quarter of
    the time of a run. Several runs may go on at once, in threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._usual = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            if not self._runs:
                self._usual = gc.get_threshold()
                gc.freeze()
                gc.set_threshold(50_000, 20, 20)
            self._runs += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._runs -= 1
            if not self._runs:
                gc.set_threshold(*self._usual)
                gc.unfreeze()


_rare_garbage_collection = _RareGarbageCollection()


def _in_bursts(problems: Iterator[Given], most: int) -> Iterator[Given]:
    """The same, read up to so many at a time: one by one, between all else there is to do, each would find the processor's caches
    cold, which is several times as slow. A slow source holds up nobody.
    """
    while True:
        burst: list[Given] = []
        ends = time.perf_counter() + BURST_SECONDS
        for given in islice(problems, most):
            burst.append(given)
            if time.perf_counter() > ends:
                break
        if not burst:
            return
        yield from burst


def _chain(first: Given, rest: Iterator[Given]) -> Iterator[Given]:
    yield first
    yield from rest


def _first_of(group: BaseExceptionGroup[BaseException]) -> Any:
    """The one exception to report: the user's mistake before anything else."""
    flat: list[BaseException] = []

    def walk(error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                walk(inner)
        else:
            flat.append(error)

    walk(group)
    serious = [e for e in flat if not isinstance(e, (Stopped, asyncio.CancelledError))]
    return (serious or flat)[0]
