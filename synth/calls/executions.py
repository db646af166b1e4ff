"""Running programs on behalf of steps: a run on record is used again, else the program runs in a sandbox and is a row of `executions`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from synth.records import Execution, content_id
from synth.sandbox import Limits, Program, Sandbox, choose
from synth.store.journal import Journal, Location

__all__ = ["Executions", "Purpose"]


class Purpose(NamedTuple):
    """What a program is run for, as the row notes it."""

    unit: str | None = None
    """The unit that runs it."""
    step: str | None = None
    """The step that runs it."""
    rationale: str | None = None
    """Id of the rationale whose program it is."""
    test: int | None = None
    """Which test of the problem, from 0."""


_NOTHING = Purpose()


class Executions:
    """Every run of a program, and where the results stand in the journal; one for each run folder.

    Args:
        journal: where rows are written. What is in it already is given by `note`, oldest first.
        sandboxes: where programs run, in this order; those of the machine if not given.
    """

    def __init__(self, journal: Journal, sandboxes: Sequence[Sandbox] | None = None) -> None:
        self._journal = journal
        self._sandboxes = sandboxes
        self._known: dict[str, Location] = {}
        self._under_way: dict[str, asyncio.Task[Execution]] = {}
        self.ran = 0
        """Programs that ran in this session."""
        self.replayed = 0
        """Results of earlier runs that were used again in this session."""

    def note(self, location: Location, row: Mapping[str, Any]) -> None:
        """Take in a run that stands in the journal."""
        self._known[row["key"]] = location

    def sandboxes(self, names: Sequence[str] = ()) -> tuple[Sandbox, ...]:
        """Where programs run.

        Args:
            names: only these, in this order; all if empty.

        Raises:
            SetupError: there is none.
        """
        if self._sandboxes is None:
            return choose(names)
        by_name = {sandbox.name: sandbox for sandbox in self._sandboxes}
        return tuple(by_name[name] for name in (names or by_name) if name in by_name)

    async def run(
        self,
        program: Program,
        limits: Limits,
        purpose: Purpose = _NOTHING,
        *,
        names: Sequence[str] = (),
    ) -> Execution:
        """What comes of a program: the result on record, or that of a run now. Where a sandbox does not support the program, that of the
        next one.

        Args:
            program: the program, with its test.
            limits: what it may take.
            purpose: what the row notes, where it runs now.
            names: the sandboxes that it may run in, in this order; all of the machine if empty.

        Raises:
            SetupError: there is no sandbox.
            Stopped: the journal can no longer be written.
        """
        result: Execution | None = None
        for sandbox in self.sandboxes(names):
            result = await self._in(sandbox, program, limits, purpose)
            if result.status != "unsupported":
                break
        assert result is not None
        return result

    async def _in(self, sandbox: Sandbox, program: Program, limits: Limits, purpose: Purpose) -> Execution:
        key = content_id(["executions", list(program), list(limits), sandbox.name, sandbox.version])
        if (known := self._known.get(key)) is not None:
            self.replayed += 1
            return Execution.model_validate(self._journal.read(known))
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._execute(sandbox, program, limits, purpose, key))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        else:
            self.replayed += 1
        return await asyncio.shield(task)  # others may wait for the same run

    async def _execute(
        self, sandbox: Sandbox, program: Program, limits: Limits, purpose: Purpose, key: str
    ) -> Execution:
        started = time.time()
        result = await sandbox.run(program, limits)
        self.ran += 1
        row = Execution(
            id=content_id([Execution.table, key, started]),
            key=key,
            **purpose._asdict(),
            program=content_id(program.code),
            sandbox=result.sandbox,
            status=result.status,
            error=result.error,
            value=result.value,
            stdout=result.stdout,
            stderr=result.stderr,
            started=started,
            seconds=result.seconds,
        )
        self.note(self._journal.append("execution", row.to_json()), row.__dict__)
        return row

    async def close(self) -> None:
        """End what is under way, and the processes that wait for programs."""
        under_way = list(self._under_way.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self.ran:
            for sandbox in self.sandboxes():
                await sandbox.close()
