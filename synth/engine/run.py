"""A whole run: check, read, ask, commit, fold."""

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
from typing import Any

import orjson

from synth import __version__
from synth.engine.corpus import by_hand, commit, fingerprint_of, judge
from synth.engine.progress import Progress
from synth.engine.target import Target
from synth.engine.units import run_unit
from synth.errors import InputError, RunFolderError, SetupError, Stopped
from synth.pipeline import Pipeline
from synth.records import content_id
from synth.sources import Given, Source
from synth.store.database import BY_HAND, CORPUS, HUMAN_OWNER, Store, fold, open_store
from synth.store.journal import Journal, damaged, read_entries
from synth.store.run_folder import RunFolder
from synth.teachers import Budget, Caller, Completion, Ledger, Request, Teacher, next_stage, probe

__all__ = ["Summary", "run_pipeline"]

UNITS_AHEAD = 1.25
"""Units in flight for each call that may be: enough to keep the teachers busy, few enough to keep memory flat."""

BURST = 64
"""Problems read at once, at most; fewer where fewer are in flight."""
BURST_SECONDS = 0.01
"""For which reading goes on before somebody else has a turn."""

FOLD_SECONDS, FOLD_PAUSE = 1.0, 3.0
"""Between two folds of the journal while the run goes on; and at least so many times the work of the last one."""
LAST_FOLD_SECONDS = 0.1
"""The former when all units are begun: what is folded while the last calls are waited for, nobody waits for afterwards."""

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
    """Failed calls by cause."""
    cost: float = 0.0
    unpriced: int = 0
    folded: bool = True
    notes: list[str] = field(default_factory=list)

    def open(self) -> Store:
        """What the run made, open for reading; see `open_store`."""
        return open_store(self.run)

    def _repr_html_(self) -> str:
        """The funnel, as a notebook shows it."""
        rows = "".join(f"<tr><td>{escape(stage)}</td><td>{n:,}</td></tr>" for stage, n in self.funnel)
        cost = f"{self.cost:.4f} USD" + (f", price of {self.unpriced:,} calls unknown" if self.unpriced else "")
        failed = "".join(f"<br>{n:,} calls failed: {escape(cause)}" for cause, n in self.failures.items())
        return f"<table>{rows}</table><p>{escape(str(self.run))}: {cost}{failed}</p>"


async def run_pipeline(
    pipeline: Pipeline,
    source: Source,
    run: Path,
    teachers: Mapping[str, Sequence[Teacher]],
    *,
    limit: int | None = None,
    skip_bad: bool = False,
    budget: Budget | None = None,
    until: Target | None = None,
    again: frozenset[str] = frozenset(),
    keep_failures: bool = False,
    remember: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Summary:
    """Run a checked pipeline, or go on with it.

    Args:
        pipeline: what to do.
        source: the problems.
        run: the run folder.
        teachers: the teachers that play each role.
        limit: only the first so many problems.
        skip_bad: go on with the good rows where some are bad; else that is an error before any call.
        budget: what may be spent.
        until: the yield at which no more units are begun; those in flight end, and the corpus steps run.
        again: units to do again though they are done (their failures may succeed now; replies on record are used).
        keep_failures: replies on record that were of no use (refused, cut off, empty) stand; else they are asked again
            where a unit is done again.
        remember: more to note in `run.json`, so that the run can be taken up by `retry`.
        progress: counts for whoever looks on.
        on_note: called with lines worth telling.

    Raises:
        InputError: bad rows; nothing was asked.
        RunFolderError: the folder cannot be used.
        SetupError: a teacher can never answer; a limit on cost, and no price.
    """
    progress = progress or Progress()
    tell = on_note or (lambda _: None)
    if budget is not None:
        budget.check(t for some in teachers.values() for t in some)
    with ExitStack() as stack:
        stack.enter_context(_rare_garbage_collection)
        progress.phase = "reading the input"
        problems = _scan(source, skip_bad, limit, progress, tell)
        folder = RunFolder(
            run,
            {
                "pipeline": pipeline.pipeline,
                "synth": __version__,
                "fingerprint": pipeline.fingerprint(),
                "described": pipeline.described(),
                "introduced": pipeline.introduced(),
                "corpus": [s.described() for s in pipeline.corpus],
                "source": source.describe(),
                "limit": limit,
                "teachers": {role: [_identity(t) for t in some] for role, some in teachers.items()},
                **(remember or {}),
            },
        )
        stack.callback(folder.close)
        work = _Run(pipeline, problems, folder, teachers, budget, until, again, keep_failures, progress, tell)
        summary = await work.go()
        if source.repeated:
            summary.notes.append(f"{source.repeated:,} records stood in the input more than once, and are there once")
        return summary


def _scan(
    source: Source, skip_bad: bool, limit: int | None, progress: Progress, tell: Callable[[str], None]
) -> Iterator[Given]:
    scan = source.scan()
    if scan.bad:
        n = len(scan.bad)
        shown = "\n".join(f"  line {b.line}: {b.why}" for b in scan.bad[:20]) + (
            f"\n  … and {n - 20} more" if n > 20 else ""
        )
        rows = f"{n} of {n + scan.good} rows {'are' if n != 1 else 'is'} not usable:\n{shown}"
        if not skip_bad or not scan.good:
            remedy = "mend them, or go on with the good ones: --skip-bad" if scan.good else "mend them"
            raise InputError(rows, where=source.name, remedy=remedy)
        tell(f"{source.name}: {rows}\n  going on with the other {scan.good}")
    progress.total = min(scan.problems, limit) if limit is not None else scan.problems
    return _first(source.problems(), limit)


def _first(problems: Iterator[Given], limit: int | None) -> Iterator[Given]:
    for count, problem in enumerate(problems):
        if limit is not None and count >= limit:
            return
        yield problem


def _identity(teacher: Teacher) -> list[Any]:
    return [teacher.name, teacher.endpoint, teacher.model, dict(teacher.parameters)]


def _by_name(teachers: Mapping[str, Sequence[Teacher]]) -> dict[str, Teacher]:
    """Every teacher by its name.

    Raises:
        SetupError: two have the same.
    """
    named: dict[str, Teacher] = {}
    for teacher in (t for some in teachers.values() for t in some):
        if named.setdefault(teacher.name, teacher) is not teacher:
            what = f"two teachers have the name {teacher.name}: what each said could not be told apart"
            raise SetupError(what, remedy="give each a name of its own")
    return named


class _Run:
    def __init__(
        self,
        pipeline: Pipeline,
        problems: Iterator[Given],
        folder: RunFolder,
        teachers: Mapping[str, Sequence[Teacher]],
        budget: Budget | None,
        until: Target | None,
        again: frozenset[str],
        keep_failures: bool,
        progress: Progress,
        tell: Callable[[str], None],
    ) -> None:
        self.pipeline = pipeline
        self.problems = problems
        self.folder = folder
        self.teachers = teachers
        self.by_name = _by_name(teachers)
        self.until = until
        self.yielded: dict[str, int] = {}
        self.reached = 0
        self.again = again
        self.progress = progress
        self.tell = tell
        self.done: dict[str, str] = {}
        self.present: set[str] = set()
        self.judged: dict[str, str | None] = {CORPUS: None, BY_HAND: None}
        """The fingerprints of the corpus steps that have looked at the run; "" where they did not come to an end."""
        self.committed = 0
        self.not_begun = 0
        self.all_begun = asyncio.Event()
        self.journal = Journal(folder.path / "journal", on_error=self._cannot_write)
        self.ledger = Ledger(self.journal)
        self._replay_journal()
        self.caller = Caller(self.ledger, budget, keep_failures=keep_failures, on_note=tell)
        self.loop = asyncio.get_running_loop()
        self.beside = ThreadPoolExecutor(1, "store")  # always the same: each thread keeps memory of its own
        self.fingerprint = content_id(
            [pipeline.fingerprint(), {role: [_identity(t) for t in some] for role, some in sorted(teachers.items())}]
        )
        progress.calls, progress.ledger = self.caller.counts, self.ledger

    def _replay_journal(self) -> None:
        """Take in what earlier sessions did: calls, units and corpus steps."""
        for location, line in read_entries(self.journal.folder):
            try:
                entry = orjson.loads(line)
                body = entry["body"]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                self.journal.close()
                raise damaged(self.journal.folder, location) from None
            if entry["kind"] == "call":
                self.ledger.note(location, body)
            elif entry["kind"] == "note":
                self.ledger.note_of(body["teacher"], body["note"])
            elif entry["kind"] == "forget":
                self.ledger.forget(body["key"])
                self.done[body["unit"]] = ""
            elif body["owner"] in self.judged:
                self.judged[body["owner"]] = body["fingerprint"]
            else:
                self.done[body["owner"]] = body["fingerprint"]
                if not body["owner"].startswith(HUMAN_OWNER):  # no corpus step has seen it yet
                    self.judged = {owner: judged and "" for owner, judged in self.judged.items()}
                if self.until is not None:
                    self.yielded[body["owner"]] = self.until.count_rows(body["records"])

    def _cannot_write(self, error: OSError) -> None:
        stopped = Stopped(
            f"the run folder can no longer be written: {error.strerror}",
            where=str(self.folder.path),
            remedy="make room (or mend the folder) and give the same command again: everything written so far is kept",
        )
        self.loop.call_soon_threadsafe(self._close, stopped)

    def _close(self, why: Stopped) -> None:
        if self.caller.closing is None:
            self.caller.close(why)
            self.progress.phase = "stopping: waiting for calls in flight"

    async def go(self) -> Summary:
        try:
            stopped = await self._go()
            self.progress.phase = "folding into DuckDB"
            return await self.loop.run_in_executor(self.beside, self._summary, stopped)
        finally:
            try:
                self.beside.shutdown()
            except KeyboardInterrupt:  # a second interrupt; asyncio would tell of it at length
                raise asyncio.CancelledError from None

    async def _go(self) -> Stopped | None:
        """All but the last fold; returns why it stopped early, if it did."""
        stopped: Stopped | None = None
        try:
            self._tell_of_changes()
            stopped = await self._units()
            if stopped is None:
                self._put_aside()
            self.journal.flush()
            if stopped is None:
                self.progress.phase = "corpus steps"
                await self.loop.run_in_executor(self.beside, self._corpus)
        except Stopped as error:
            stopped = stopped or error
        finally:
            self.journal.close()
        return stopped

    def _tell_of_changes(self) -> None:
        earlier = self.folder.earlier
        if earlier is not None and earlier["fingerprint"] != self.pipeline.fingerprint():
            self.tell(
                "the pipeline has changed since the last session: units are done again, and only what changed is asked"
            )

    async def _units(self) -> Stopped | None:
        """Do every unit that is not done; returns why it stopped early, if it did."""
        todo = iter(self._todo())
        first = next(todo, None)
        if first is None or self._enough():
            self.not_begun = sum(1 for _ in todo) + (first is not None)
            return None
        self.progress.phase = "starting the teachers"
        async with AsyncExitStack() as stack:
            started = self.by_name
            for teacher in started.values():
                teacher.keep(self.ledger.notebook(teacher.name, self.tell))
                await stack.enter_async_context(teacher)
            self.progress.phase = "asking what the teachers can do"
            await self._probe()
            in_flight = ceil(UNITS_AHEAD * sum(t.concurrency for t in started.values())) if started else 16
            self.progress.phase = "asking"
            with suppress(NotImplementedError, ValueError, RuntimeError):  # not in this thread, or not on this system
                for how in (signal.SIGINT, signal.SIGTERM):
                    self.loop.add_signal_handler(how, self._interrupted)
                    stack.callback(self.loop.remove_signal_handler, how)
            await stack.enter_async_context(self._folding_along())
            rest = _in_bursts(_chain(first, todo), min(BURST, in_flight))
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(in_flight):
                        group.create_task(self._work(rest))
            except BaseExceptionGroup as group_of_errors:
                error = _first_of(group_of_errors)
                if not isinstance(error, Stopped):
                    self.caller.close(Stopped("another teacher failed"))
                    await self.caller.drain(LAST_SECONDS)
                    raise error from None
                self._close(error)
            except asyncio.CancelledError:
                if self.caller.closing is None:
                    raise
            await self.caller.drain()
        if self.caller.closing is None:
            self.not_begun = sum(1 for _ in todo)  # and by that all that is present is known
        return self.caller.closing

    @asynccontextmanager
    async def _folding_along(self) -> AsyncIterator[None]:
        """Fold while teachers are waited for, so that little is left to do at the end."""
        ended, all_begun = asyncio.Event(), self.all_begun

        def work() -> float:
            begun = time.thread_time()
            with suppress(OSError, RunFolderError):  # told at the end, where it matters
                fold(self.folder.path)
            return time.thread_time() - begun

        async def fold_now_and_then() -> None:
            folded, pause = (self.ledger.calls, self.committed), FOLD_SECONDS
            while not ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for((ended if all_begun.is_set() else all_begun).wait(), pause)
                written, took = (self.ledger.calls, self.committed), 0.0
                if written != folded and not ended.is_set():
                    took, folded = await self.loop.run_in_executor(self.beside, work), written
                pause = max(LAST_FOLD_SECONDS if all_begun.is_set() else FOLD_SECONDS, FOLD_PAUSE * took)

        task = asyncio.create_task(fold_now_and_then())
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
            SetupError: a teacher lacks what a step needs.
        """
        for step in self.pipeline.teacher_steps:
            for teacher in (t for role in step.roles() for t in self.teachers[role]):
                needs = step.needs_of_teachers()
                unclear = await probe(teacher, needs | step.uses_of(teacher), self._ask_probe)
                for capability, why in unclear.items():
                    what = f"whether teacher {teacher.name} has {capability} could not be found out: {why}"
                    if capability in needs:
                        say = f"give the same command again, or say it in the profile: capabilities: [{capability}]"
                        raise SetupError(what, remedy=say)
                    self.tell(f"{what} (going on without)")
                for lacking in sorted(needs - teacher.capabilities):
                    what = f"step {step.name} needs {lacking}, and a probe shows that teacher {teacher.name} has it not"
                    raise SetupError(what, remedy=f"bind another teacher: --teacher {step.roles()[0]}=NAME")

    async def _ask_probe(self, teacher: Teacher, request: Request) -> Completion:
        return await self.caller.ask(teacher, request, unit="probe")

    def _put_aside(self) -> None:
        """Take out units that are no longer in the input, so that a run is what its command says."""
        gone = [unit for unit, fingerprint in self.done.items() if fingerprint and unit not in self.present]
        for unit in gone:
            commit(self.journal, unit, "", [])
        if gone:
            self.committed += len(gone)
            self.tell(
                f"{len(gone)} problems of earlier sessions are not in this input any more and were put aside; "
                "should they come back, their calls are on record"
            )

    def _todo(self) -> Iterator[Given]:
        for given in self.problems:
            unit = given.problem.id
            if self.done:
                self.present.add(unit)
            if self.done.get(unit) == self._fingerprint_of(given) and unit not in self.again:
                self.progress.earlier += 1
                self.reached += self.yielded.get(unit, 0)
            else:
                yield given

    def _fingerprint_of(self, given: Given) -> str:
        """All a unit's outcome depends on, beside its problem: the run's, and what the source brings of it."""
        return content_id([self.fingerprint, [r.id for r in given.records]]) if given.records else self.fingerprint

    def _interrupted(self) -> None:
        if self.caller.closing is not None:  # the second time: at once
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
        self._close(Stopped("interrupted", remedy="give the same command again to go on: nothing paid is paid twice"))

    async def _work(self, problems: Iterator[Given]) -> None:
        while not self._enough() and (given := next(problems, None)) is not None:
            try:
                records = await run_unit(given, self.pipeline, self.caller, self.teachers, self.progress)
            except Stopped as why:
                self._close(why)
                return
            except BaseExceptionGroup as group:  # of a step that asked many at once
                error = _first_of(group)
                if not isinstance(error, Stopped):
                    raise error from None
                self._close(error)
                return
            id_ = given.problem.id
            commit(self.journal, id_, self._fingerprint_of(given), records, first=id_ not in self.done)
            self.committed += 1
            self.progress.done += 1
            if self.until is not None:
                self.reached += self.until.count(records)
            await next_stage()
        self.all_begun.set()

    def _enough(self) -> bool:
        return self.caller.closing is not None or (self.until is not None and self.reached >= self.until.n)

    def _corpus(self) -> None:
        added = by_hand(self.folder.path)
        if not (self.pipeline.corpus or added or any(judged is not None for judged in self.judged.values())):
            return
        wanted = {CORPUS: fingerprint_of(self.pipeline.corpus), BY_HAND: fingerprint_of(added) if added else ""}
        if self.judged == wanted and not self.committed:
            return
        # What an earlier session rejected is judged anew.
        commit(self.journal, BY_HAND, "", [])
        judge(self.journal, self.folder.path, CORPUS, self.pipeline.corpus, wanted[CORPUS], self.tell)
        if added:
            judge(self.journal, self.folder.path, BY_HAND, added, wanted[BY_HAND], self.tell)

    def _summary(self, stopped: Stopped | None) -> Summary:
        summary = Summary(
            self.folder.path, self.progress, stopped, cost=self.ledger.cost, unpriced=self.ledger.unpriced
        )
        if self.until is not None and stopped is None:
            more = f"; {self.not_begun:,} problems were not begun" if self.not_begun else ", and no problem is left"
            summary.notes.append(f"{self.reached:,} {self.until.of} of the {self.until.n:,} asked for{more}")
        try:
            summary.folded = fold(self.folder.path)
            with open_store(self.folder.path) as store:
                summary.funnel = [
                    (s, n) for s, n in store.sql("SELECT stage, n FROM funnel ORDER BY position").fetchall()
                ]
                summary.failures = dict(
                    store.sql("SELECT cause, count(*) FROM failures GROUP BY 1 ORDER BY 2 DESC").fetchall()
                )
        except (OSError, RunFolderError) as error:
            summary.folded = False
            summary.notes.append(f"the results could not be folded into DuckDB: {error}")
        self.progress.phase = "done"
        return summary


class _RareGarbageCollection:
    """Look for cycles among what is new, and seldom: to walk over every unit in flight again and again is a quarter of
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
    cold, which is several times as slow. Whatever takes long to read holds up nobody.
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
    """The one exception to tell: the user's mistake before anything else."""
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
