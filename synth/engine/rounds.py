"""Rounds: generate, verify, export, train with a command of the user's, go on with the student it made."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from synth.errors import Stopped, UserError

__all__ = ["Round", "Trained", "train", "walk_rounds"]

STUDENT = "student.txt"
"""The file in which the training command says which student it made."""
_DONE = "trained.json"


@dataclass(frozen=True)
class Round:
    """One round of several, and where it lies."""

    number: int
    """From 1."""
    folder: Path
    student: str | None
    """The student as `--teacher` takes it: the first round's as given (None: as the profile says), then what was trained."""

    @property
    def run(self) -> Path:
        """Its run folder."""
        return self.folder / "run"

    @property
    def trained(self) -> bool:
        """Whether its training command has made a student, in whatever session."""
        return _trained(self) is not None

    @property
    def data(self) -> Path:
        """Where its training rows are written."""
        return self.folder / "data"


@dataclass(frozen=True)
class Trained:
    """What the training command of a round made."""

    student: str
    log: Path


def walk_rounds(folder: Path, rounds: int, first: str | None) -> Iterator[Round]:
    """The rounds, one after another; each begins with the student that the one before made.

    Whoever walks must have trained (`train`) before asking for the next; a round that was trained in an earlier session
    is not trained again.

    Raises:
        UserError: the next round was asked for before this one was trained.
    """
    student = first
    for number in range(1, rounds + 1):
        this = Round(number, folder / f"round-{number}", student)
        yield this
        if number < rounds:
            made = _trained(this)
            if made is None:
                raise UserError(f"round {number} was not trained", where=str(this.folder))
            student = made.student


def train(this: Round, command: str, contracts: Sequence[str], on_line: Callable[[str], None] | None = None) -> Trained:
    """Run the training command of a round, unless it has been run.

    The command is run by the shell in the folder it was given in, with these variables: `SYNTH_DATA` (folder with the
    rows), `SYNTH_ROUND` (from 1), `SYNTH_OUT` (a folder for what it makes), `SYNTH_STUDENT` (the student of this round,
    may be empty). It must write one line to `$SYNTH_OUT/student.txt`: the new student, as `--teacher` takes it. Its output
    goes to `train.log`.

    Raises:
        Stopped: it failed; the same command goes on with it.
    """
    if (made := _trained(this)) is not None:
        return made
    out, log = this.folder / "out", this.folder / "train.log"
    out.mkdir(parents=True, exist_ok=True)
    (out / STUDENT).unlink(missing_ok=True)
    environment = {
        **os.environ,
        "SYNTH_DATA": str(this.data.resolve()),
        "SYNTH_ROUND": str(this.number),
        "SYNTH_OUT": str(out.resolve()),
        "SYNTH_STUDENT": this.student or "",
    }
    code = _run(command, environment, log, on_line)
    again = "mend it and give the same command again: everything up to here is kept"
    if code != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        told = f": {' / '.join(last)}" if last else ""
        raise Stopped(
            f"the training command of round {this.number} ended with {code}{told}", where=str(log), remedy=again
        )
    file = out / STUDENT
    student = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    if not student or "\n" in student:
        what = f"the training command of round {this.number} did not say which student it made"
        remedy = (
            f"let it write one line to $SYNTH_OUT/{STUDENT}, such as http://localhost:8000/v1#my-model; then {again}"
        )
        raise Stopped(what, where=str(log), remedy=remedy)
    record = {"student": student, "command": command, "contracts": list(contracts)}
    (this.folder / _DONE).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return Trained(student, log)


def _run(command: str, environment: dict[str, str], log: Path, on_line: Callable[[str], None] | None) -> int:
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S602  # the user's own words, as in a Makefile
            command,
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=os.name != "nt",
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                if on_line is not None:
                    on_line(line.decode(errors="replace").rstrip())
            return process.wait()
        except BaseException:
            if os.name != "nt":
                os.killpg(process.pid, signal.SIGTERM)
            else:
                process.terminate()
            process.wait()
            raise


def _trained(this: Round) -> Trained | None:
    file = this.folder / _DONE
    if not file.is_file():
        return None
    return Trained(orjson.loads(file.read_bytes())["student"], this.folder / "train.log")
