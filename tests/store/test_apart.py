"""Questions that others wrote: bounds of time and memory that hold for a process, and what is left of it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from forks import MAIN, python
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ROOT, synth

from synth.errors import RunFolderError, UserError
from synth.store.apart import Asker, QuestionError, TooLong, is_size

RUN = ROOT / "samples" / "finished"
LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the system bounds no memory of a process elsewhere"
)

# None of them can be interrupted: DuckDB looks for that between chunks of rows.
LONG = {
    "one text": "SELECT length(repeat('a', 3000000000))",
    "one replacement": "SELECT length(regexp_replace(repeat('a', 100000000), 'a', 'bbbbbbbbbbbbbbbbbbbbbbbb', 'g'))",
    "endless rows": "SELECT sum(x * y) FROM range(100000000) a(x), range(1000000) b(y)",
    "endless recursion": "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT sum(x) FROM t",
}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.mark.parametrize("query", LONG.values(), ids=LONG)
def test_a_question_is_stopped_in_time(query: str, temporary: Path):
    """The process is killed at the bound, its files are gone, and the next question is answered."""
    with Asker(RUN, 1.0, "50%") as asker:
        list(asker.ask("SELECT 1"))  # so that the process runs
        begun = time.monotonic()
        with pytest.raises(TooLong, match=r"longer than 1 seconds.*stopped"):
            list(asker.ask(query))
        assert time.monotonic() - begun < 4
        assert list(temporary.iterdir()) == []
        assert list(asker.ask("SELECT 1")) == [[1]]
    assert list(temporary.iterdir()) == []


@LINUX
@pytest.mark.parametrize(
    "query",
    [
        LONG["one text"],
        "SELECT repeat('a', 2000000000)",
        "SELECT list(x) FROM range(1000000000) t(x)",
        "WITH RECURSIVE t(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM t) SELECT length(x) FROM t",
    ],
)
def test_a_question_gets_no_more_memory(query: str):
    """Texts that DuckDB does not count are bounded by the system; the error says what to do, and the process stays small."""
    with Asker(RUN, 60.0, "200MB") as asker:
        with pytest.raises(QuestionError, match="memory") as told:
            list(asker.ask(query))
        assert "--memory" in str(told.value)
        if asker._process is not None:
            peak = next(
                line
                for line in Path(f"/proc/{asker._process.pid}/status").read_text().splitlines()
                if line.startswith("VmHWM")
            )
            assert int(peak.split()[1]) < 2_000_000  # kB
        assert list(asker.ask("SELECT 1")) == [[1]]


def test_what_is_spilled_is_private_and_removed(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A sort beyond its memory spills to a folder of this user alone, never to the working folder."""
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    seen: set[tuple[str, int]] = set()
    with Asker(RUN.resolve(), 60.0, "150MB") as asker:
        list(asker.ask("SELECT 1"))
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                for path in temporary.rglob("*"):
                    try:
                        if path.is_file() and path.stat().st_size > 0:
                            seen.add((path.name, path.parents[-len(temporary.parents) - 2].stat().st_mode & 0o777))
                    except OSError:
                        continue
                time.sleep(0.01)

        looking = threading.Thread(target=look)
        looking.start()
        rows = list(
            asker.ask(
                "SELECT x, repeat('z', 40) || x AS t FROM range(4000000) r(x) ORDER BY hash(x) LIMIT 1 OFFSET 3999999"
            )
        )
        over.set()
        looking.join()
    assert len(rows) == 1
    assert seen
    assert {mode for _, mode in seen} == {0o700}
    assert list(working.iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_values_come_as_they_are():
    """Numbers of every size, texts, lists and nothing; what JSON has not comes as a text."""
    with Asker(RUN) as asker:
        answer = asker.ask(
            "SELECT 2::HUGEINT ** 100 > 0 AS b, (170141183460469231731687303715884105727)::HUGEINT h, 1.50::DECIMAL(9, 2) d, 'nan'::DOUBLE n, "
            "NULL::VARCHAR nothing, E'a\\nb\u2028' t, [1, NULL] l, {'x': DATE '2024-02-03'} s, TIMESTAMP '2024-02-03 04:05:06' moment, $1 given",
            ["it's"],
        )
        ((b, h, d, n, nothing, t, many, s, at, given_),) = list(answer)
    assert answer.names[1:4] == ["h", "d", "n"]
    assert answer.types[2] == "DECIMAL(9,2)"
    assert (b, h, d, nothing, t, many) == (True, 2**127 - 1, Decimal("1.50"), None, "a\nb\u2028", [1, None])
    assert math.isnan(n)
    assert (s, at, given_) == ({"x": "2024-02-03"}, "2024-02-03 04:05:06", "it's")


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    with Asker(RUN) as asker:
        yield asker


@settings(max_examples=8, deadline=None)
@given(
    rows=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=30), read=st.integers(0, 30)
)
def test_rows_come_once_and_in_order_however_many_are_read(asker: Asker, rows: list[str], read: int):
    """An answer that is left half read spoils no later one."""
    rows = [row.replace("\0", "") for row in rows]
    some = iter(asker.ask("SELECT unnest($1::VARCHAR[])", [rows]))
    assert [row for _, row in zip(range(read), some, strict=False)] == [[r] for r in rows[:read]]
    assert list(asker.ask("SELECT unnest($1::VARCHAR[])", [rows])) == [[r] for r in rows]


def test_an_answer_is_read_at_the_pace_of_its_reader():
    """Time in which nobody reads does not count, and rows wait in the process, not in ours."""
    with Asker(RUN, 4.0) as asker:
        rows = iter(asker.ask("SELECT x, repeat('a', 1000) FROM range(20000) t(x)"))
        assert next(rows)[0] == 0
        time.sleep(4.2)
        assert asker._replies.qsize() <= 4
        assert sum(1 for _ in rows) == 19_999


def test_no_question_writes_reads_files_or_changes_bounds(asker: Asker, tmp_path: Path):
    """The process takes no statement but one that reads, and no setting."""
    for query in (
        f"COPY (SELECT 1) TO '{tmp_path}/x'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SET memory_limit = '100GB'",
        "SELECT 1; SELECT 2",
        "CREATE TABLE t (x INT)",
        "no such",
    ):
        with pytest.raises(QuestionError):
            list(asker.ask(query))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_none_is_reported():
    """As the store tells it."""
    with Asker(ROOT / "tests") as asker, pytest.raises(RunFolderError, match="there is no run"):
        asker.ask("SELECT 1")


def test_parquet_that_cannot_be_written_is_reported(asker: Asker, tmp_path: Path):
    """A type Parquet has not, and a place that is none."""
    with pytest.raises(UserError, match="Parquet"):
        asker.write_parquet("SELECT INTERVAL 1 DAY AS i", tmp_path / "x.parquet")
    with pytest.raises(UserError, match="cannot be written"):
        asker.write_parquet("SELECT 1", tmp_path / "no" / "x.parquet")


def test_the_end_comes_from_another_thread():
    """Who waits for an answer gets an error at once."""
    asker = Asker(RUN, None)
    list(asker.ask("SELECT 1"))
    threading.Timer(0.3, asker.end).start()
    begun = time.monotonic()
    with pytest.raises(QuestionError):
        list(asker.ask(LONG["endless rows"]))
    assert time.monotonic() - begun < 10


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_command_ends_at_once_and_leaves_nothing(how: signal.Signals, tmp_path: Path, temporary: Path):
    """Ctrl-C ends `synth sql` amid a call that DuckDB does not interrupt; the old file stays, and no process, also after a kill."""
    out = tmp_path / "out.csv"
    out.write_text("old\n")
    words = ["sql", str(RUN), LONG["one text"], "--out", str(out), "--memory", "50%"]
    command = python(MAIN, *words, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while not (child := children(command.pid)) or cpu_seconds(child[0]) < 1.5:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        begun = time.monotonic()
        command.send_signal(how)
        assert command.wait(10) == (3 if how == signal.SIGINT else -how)
        while Path(f"/proc/{child[0]}").exists() and Path(f"/proc/{child[0]}/stat").read_text().split()[2] != "Z":
            assert time.monotonic() - begun < 10
            time.sleep(0.05)
        assert out.read_text() == "old\n"
        assert list(temporary.iterdir()) == []
        if how == signal.SIGINT:
            assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["out.csv"]
    finally:
        command.kill()
        command.wait()
        command.stderr.close()


def children(pid: int) -> list[int]:
    """The processes that one started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("this system does not list the children of a process")
    return [int(p) for p in path.read_text().split()]


def cpu_seconds(pid: int) -> float:
    """What a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("4GB", True),
        ("1.5 GiB", True),
        ("25%", True),
        ("100%", True),
        ("0GB", False),
        ("-1", False),
        ("200%", False),
        ("4", False),
        ("4GB'; x", False),
    ],
)
def test_sizes(text: str, is_one: bool):
    """Of memory, as DuckDB takes them; nothing that means no bound."""
    assert is_size(text) == is_one
    if not is_one:
        assert "is no size" in synth("sql", RUN, "SELECT 1", "--memory", text, check=2).stderr


@pytest.mark.parametrize("module", ["synth.store.child", "synth.verify.worker", "synth.models.local.child"])
def test_no_child_takes_modules_of_the_working_folder(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder from elsewhere may hold a `queue.py`: what we start in it does not import that."""
    names = ("queue", "orjson", "duckdb", "json", "sympy", "xllamacpp")
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    starts = [
        line
        for path in (ROOT / "synth").rglob("*.py")
        for line in path.read_text().splitlines()
        if "sys.executable" in line
    ]
    assert starts
    assert all('"-P"' in line for line in starts)
    subprocess.run(
        [sys.executable, "-P", "-m", module], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert not (tmp_path / "ran").exists()
    if module == "synth.store.child":
        monkeypatch.chdir(tmp_path)
        with Asker(RUN.resolve()) as asker:
            assert list(asker.ask("SELECT 1")) == [[1]]
        assert not (tmp_path / "ran").exists()
