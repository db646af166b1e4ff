"""Rounds: generate, verify, export, train with a command of the user's, continue with the student it made."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from synth.errors import Stopped, UserError
from synth.files import make_folder, write_file
from synth.notes import Note, read_note

__all__ = ["Round", "Trained", "train", "walk_rounds"]

STUDENT = "student.txt"
"""The file in which the training command says which student it made."""
_DONE, _FORMAT = "trained.json", 1
"""The note of a round that was trained, and the version of its layout."""


class _Note(Note):
    format: int
    student: str


@dataclass(frozen=True)
class Round:
    """One round of several, and where it lies."""

    number: int
    """From 1."""
    folder: Path
    student: str | None
    """The student as `--model` takes it: the first round's as given (None: as the profile says), then what was trained."""
    made_by: Path | None = None
    """The file of the round before that names the student; None for the first round."""

    @property
    def run(self) -> Path:
        """Its run folder."""
        return self.folder / "run"

    @property
    def trained(self) -> bool:
        """Whether its training command has made a student, in any session."""
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

    The caller must have trained (`train`) before asking for the next; a round that was trained in an earlier session
    is not trained again.

    Raises:
        UserError: the next round was asked for before this one was trained.
    """
    student, made_by = first, None
    for number in range(1, rounds + 1):
        this = Round(number, folder / f"round-{number}", student, made_by)
        yield this
        if number < rounds:
            made = _trained(this)
            if made is None:
                raise UserError(f"round {number} was not trained", where=str(this.folder))
            student, made_by = made.student, this.folder / _DONE


def train(this: Round, command: str, formats: Sequence[str], on_line: Callable[[str], None] | None = None) -> Trained:
    """Run the training command of a round, unless it has been run.

    The command is run by the shell in the folder it was given in, with these variables: `SYNTH_DATA` (folder with the
    rows), `SYNTH_ROUND` (from 1), `SYNTH_OUT` (a folder for what it makes), `SYNTH_STUDENT` (the student of this round,
    may be empty). It must write one line to `$SYNTH_OUT/student.txt`: the new student, as `--model` takes it. Its output
    goes to `train.log`.

    Raises:
        Stopped: it failed; the same command resumes it.
    """
    if (made := _trained(this)) is not None:
        return made
    out, log = this.folder / "out", this.folder / "train.log"
    make_folder(out)
    (out / STUDENT).unlink(missing_ok=True)
    environment = {
        **os.environ,
        "SYNTH_DATA": str(this.data.resolve()),
        "SYNTH_ROUND": str(this.number),
        "SYNTH_OUT": str(out.resolve()),
        "SYNTH_STUDENT": this.student or "",
    }
    code = _run(command, environment, log, on_line)
    again = "fix it and give the same command again: everything up to here is kept"
    if code != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        last_lines = f": {' / '.join(last)}" if last else ""
        raise Stopped(
            f"the training command of round {this.number} ended with {code}{last_lines}", where=str(log), fix=again
        )
    file = out / STUDENT
    student = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    if not student or "\n" in student:
        what = f"the training command of round {this.number} did not say which student it made"
        fix = f"let it write one line to $SYNTH_OUT/{STUDENT}, such as http://localhost:8000/v1#my-model; then {again}"
        raise Stopped(what, where=str(log), fix=fix)
    record = {"format": _FORMAT, "student": student, "command": command, "formats": list(formats)}
    write_file(this.folder / _DONE, orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return Trained(student, log)


def _run(command: str, environment: dict[str, str], log: Path, on_line: Callable[[str], None] | None) -> int:
    with (
        log.open("wb") as file,
        subprocess.Popen(  # noqa: S602  # the user's own words, as in a Makefile
            command,
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=os.name != "nt",
        ) as process,
    ):
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
    if not os.path.lexists(file):
        return None
    fix = f"remove it: {this.folder} is then trained again"
    note = read_note(file, _Note, _FORMAT, fix=fix)
    return Trained(note.student, this.folder / "train.log")
