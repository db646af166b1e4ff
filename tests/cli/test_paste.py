"""Commands in messages are ready to paste, whatever names of files and columns hold."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from support import ROOT, synth, write_rows

HOSTILE = "a;touch pwn;b $(touch pwn) 'c"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in a folder with a hostile name."""
    return Path(shutil.copytree(ROOT / "samples" / "finished", tmp_path / HOSTILE))


def words_after(command: str, said: str) -> list[str]:
    """The words a shell makes of what follows a command on its line."""
    found = re.search(rf"{command} (.*)", said)
    assert found is not None, said
    lexer = shlex.shlex(found[1], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        words.append(word)
        if len(words) == 3:
            break
    return words


def test_the_line_of_a_damaged_journal(run: Path):
    """`sed -i` takes the path as one word."""
    segment = run / "journal" / "000001.jsonl"
    segment.write_bytes(b'{"kind":"call","body":nonsense}\n' + segment.read_bytes())
    (run / "corpus.duckdb").unlink(missing_ok=True)
    said = synth("status", run, check=2).stderr
    assert words_after("sed -i", said)[:2] == ["1d", str(segment)]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["calls", "RUN", "b2:none"], "synth calls"),
        (["sql", "RUN", "SELECT nothing"], "synth sql"),
    ],
)
def test_commands_that_name_a_run(run: Path, words: list[str], command: str):
    """The path is one word."""
    said = synth(*(w.replace("RUN", str(run)) for w in words), check=2).stderr
    assert words_after(command, said)[0] == str(run)


def test_commands_that_name_files_and_columns(tmp_path: Path):
    """A file to make, a file to convert, a column of somebody's data."""
    said = synth("new", tmp_path / HOSTILE, check=2).stderr
    assert words_after("synth new", said)[0] == f"{tmp_path / HOSTILE}.yaml"
    utf16 = tmp_path / f"{HOSTILE}.csv"
    utf16.write_bytes("question\n1?\n".encode("utf-16"))
    said = synth("plan", "star", "--input", utf16, "--model", "scripted", check=2).stderr
    assert words_after("-t UTF-8", said)[0] == utf16.name
    column = f"the question text {HOSTILE}"
    rows = write_rows(tmp_path / "rows.jsonl", [{column: "1?", "b": "2"}])
    said = synth("plan", "star", "--input", rows, "--model", "scripted", check=2).stderr
    assert words_after("--map", said)[0] == f"question={column}"
