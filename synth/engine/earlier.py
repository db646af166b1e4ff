"""What earlier sessions of a run did, and whether this one may follow them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import orjson

from synth import __version__
from synth.calls import Executions, Ledger
from synth.engine.target import Target
from synth.errors import RunFolderError
from synth.models import Model
from synth.sources import Given
from synth.store.entries import LAYOUT, read_journal
from synth.store.invented import SCRIPTED
from synth.store.journal import Journal
from synth.store.owners import BY_HAND, CORPUS, HUMAN_OWNER
from synth.store.run_folder import RunFolder

__all__ = ["Earlier", "InputName"]


class InputName(NamedTuple):
    """What a session works on."""

    name: str
    limit: int | None

    @property
    def words(self) -> str:
        """It in words."""
        return f"the first {self.limit:,} problems of {self.name}" if self.limit is not None else self.name


class Earlier:
    """What earlier sessions did: units and corpus steps here, calls in the ledger.

    Args:
        folder: the run folder.
        journal: its journal; read from its beginning.
        ledger: takes in the calls.
        executions: takes in the runs of programs.
        until: what is counted in units that are done, if anything.

    Raises:
        RunFolderError: an entry of the journal is damaged.
    """

    def __init__(
        self, folder: RunFolder, journal: Journal, ledger: Ledger, executions: Executions, until: Target | None
    ) -> None:
        self._folder = folder
        self._journal = journal
        self._ledger = ledger
        self._executions = executions
        self.done: dict[str, str] = {}
        """Units with the fingerprint they were done under; "" where they are to be done again."""
        self.kept: dict[str, int] = {}
        """What each unit has kept of the yield to stop at, where there is one."""
        self.judged: dict[str, str | None] = {CORPUS: None, BY_HAND: None}
        """The fingerprints of the corpus steps that have looked at the run; "" where they did not come to an end."""
        self._forgotten: set[str] = set()
        """Units of which replies were forgotten: they are to be done again, and their records stand until then."""
        self._pipelines: set[str] = set()
        """The pipelines that the journal says it is of: one, unless it was merged with that of another run."""
        self._replay(until)

    def _replay(self, until: Target | None) -> None:
        for location, entry in read_journal(self._journal.folder):
            kind, body = entry.kind, entry.body
            if kind == "call":
                self._ledger.note(location, body)
            elif kind == "execution":
                self._executions.note(location, body)
            elif kind == "note":
                self._ledger.note_of(body["model"], body["note"])
            elif kind == "run":
                self._pipelines.add(body["pipeline"])
            elif kind == "forget":
                self._ledger.forget(body["key"])
                if (unit := body.get("unit")) is not None:
                    if self.done.get(unit):
                        self._forgotten.add(unit)
                    self.done[unit] = ""
            elif body["owner"] in self.judged:
                self.judged[body["owner"]] = body["fingerprint"]
            else:
                self.done[body["owner"]] = body["fingerprint"]
                self._forgotten.discard(body["owner"])
                if not body["owner"].startswith(HUMAN_OWNER):  # no corpus step has seen it yet
                    self.judged = {owner: judged and "" for owner, judged in self.judged.items()}
                if until is not None:
                    self.kept[body["owner"]] = until.count_rows(body["records"])

    def check_pipeline(self, pipeline: str) -> None:
        """Compare the pipeline with that of the journal, even if the manifest says otherwise or is missing.

        Raises:
            RunFolderError: the journal is of another pipeline.
        """
        if others := self._pipelines - {pipeline}:
            raise RunFolderError(
                f"the journal in this folder is of a run of {', '.join(sorted(others))}, not of {pipeline}",
                where=str(self._journal.folder),
                fix="give another folder with --run",
            )

    def note_pipeline(self, pipeline: str, report: Callable[[str], None]) -> None:
        """Write into the journal which pipeline it is of, so that it can be taken up where its manifest is lost; say so where it was."""
        if self._folder.recovered:
            more = (
                ""
                if self._pipelines
                else "; the journal does not say of which pipeline it is, and is taken as one of this"
            )
            if self.judged[BY_HAND]:
                more += (
                    "; corpus steps that were added manually are lost with run.json: add them again with synth curate"
                )
            report(
                f"run.json was missing or could not be read, and is written again: the journal of the run is taken up{more}"
            )
        if not self._pipelines:
            body = {"pipeline": pipeline, "synth": __version__, "format": LAYOUT}
            self._journal.append("run", orjson.dumps(body))

    def check_models(self, models: Iterable[Model]) -> None:
        """Find out whether the scripted model would take the place of language models.

        Raises:
            RunFolderError: it would, and units are done already.
        """
        earlier = self._folder.earlier
        if earlier is not None:
            had = [(name, endpoint) for some in earlier.models.values() for name, endpoint, *_ in some]
        else:  # where the manifest is lost, the journal knows
            had = [(model, endpoint) for endpoint, model in sorted(self._ledger.answered)]
        scripted = sorted(t.name for t in models if t.endpoint.startswith(SCRIPTED))
        if not scripted or not had or any(at.startswith(SCRIPTED) for _, at in had) or not any(self.done.values()):
            return
        names = ", ".join(dict.fromkeys(name for name, _ in had))
        raise RunFolderError(
            f"this run was made with language models ({names}); the scripted model ({', '.join(scripted)}) would replace what they "
            "wrote with invented text",
            where=str(self._folder.path),
            fix="give the rehearsal a folder of its own: --run",
        )

    def gone_from(self, present: Iterator[Given], now: InputName, *, replace: bool) -> set[str]:
        """The units of earlier sessions that are not in the input any more.

        Args:
            present: the input, all of it that is to be done.
            now: what it is.
            replace: whether such units may be excluded from the run.

        Raises:
            RunFolderError: there are some, and they may not.
        """
        held = {unit for unit, fingerprint in self.done.items() if fingerprint} | self._forgotten
        missing, new = set(held), 0
        if missing:
            for given in present:
                missing.discard(given.problem.id)
                new += given.problem.id not in held
                if not missing:
                    break
        if missing and not replace:
            earlier = self._folder.earlier
            before = InputName("an input", None)
            if earlier is not None and earlier.source is not None:
                before = InputName(earlier.source.name, earlier.limit)
            what = (
                f"{len(missing):,} of the {len(held):,} problems of this run are not in {now.words}: they would be excluded from the "
                f"run, and {new:,} problems would be new. The run was made with {before.words}"
            )
            raise RunFolderError(
                what,
                where=str(self._folder.path),
                fix="give the other input a folder of its own (--run); or exclude these problems with synth run … --replace-input "
                "(replace_input=True in Python): their calls stay on record",
            )
        return missing
