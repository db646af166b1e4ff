from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import RunFolderError, Stopped
from synth.store import journal as module
from synth.store.journal import Journal, Position, read_blocks, read_entries


def bodies(folder: Path, *start) -> list[dict]:
    return [orjson.loads(line)["body"] for _, line in read_entries(folder, *start)]


def test_what_is_appended_is_read_again_in_order(tmp_path: Path):
    journal = Journal(tmp_path / "j")
    places = [journal.append("call", orjson.dumps({"n": i})) for i in range(50)]
    assert journal.read(places[17]) == {"n": 17}
    journal.close()
    assert bodies(tmp_path / "j") == [{"n": i} for i in range(50)]
    half = places[25]
    assert bodies(tmp_path / "j", Position(half.segment, half.offset))[0] == {"n": 25}


def test_segments_follow_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SEGMENT_BYTES", 200)
    journal = Journal(tmp_path / "j")
    places = [journal.append("call", orjson.dumps({"n": i})) for i in range(40)]
    journal.close()
    assert places[-1].segment > 3
    assert bodies(tmp_path / "j") == [{"n": i} for i in range(40)]
    again = Journal(tmp_path / "j")
    again.append("call", b'{"n":40}')
    assert again.read(places[3]) == {"n": 3}
    again.close()
    assert bodies(tmp_path / "j")[-1] == {"n": 40}


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int):
    journal = Journal(tmp_path / "j")
    for i in range(3):
        journal.append("call", orjson.dumps({"n": i, "text": "é" * 20}))
    journal.close()
    path = tmp_path / "j" / "000001.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert [b["n"] for b in bodies(tmp_path / "j")] == [0, 1]
    again = Journal(tmp_path / "j")
    place = again.append("call", b'{"n":9}')
    assert again.read(place) == {"n": 9}
    again.close()
    assert [b["n"] for b in bodies(tmp_path / "j")] == [0, 1, 9]


def test_a_killed_process_loses_nothing_it_appended(tmp_path: Path):
    code = (
        "import os, signal, sys; from pathlib import Path; from synth.store.journal import Journal\n"
        "j = Journal(Path(sys.argv[1]))\n"
        "for i in range(1000): j.append('call', b'{\"n\":%d}' % i)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "j")], timeout=60)
    assert len(bodies(tmp_path / "j")) == 1000


def test_many_entries_share_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    count = 0
    real = module._sync

    def counted(descriptor: int) -> None:
        nonlocal count
        count += 1
        real(descriptor)

    monkeypatch.setattr(module, "_sync", counted)
    journal = Journal(tmp_path / "j")
    started = time.monotonic()
    for i in range(2000):
        journal.append("call", orjson.dumps({"n": i}))
    journal.flush()
    journal.close()
    assert 1 <= count <= (time.monotonic() - started) / module.GROUP_SECONDS + 4


def test_a_write_that_fails_is_reported_once_and_refused_ever_after(tmp_path: Path):
    told: list[OSError] = []
    journal = Journal(tmp_path / "j", on_error=told.append)
    journal.append("call", b"{}")
    journal._file.close()
    journal._file = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
    for _ in range(2):
        with pytest.raises(Stopped, match="No space left"):
            journal.append("call", b"{}")
    assert len(told) == 1
    journal.close()
    assert len(bodies(tmp_path / "j")) == 1


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path):
    with pytest.raises(RunFolderError, match="cannot be written"):
        Journal(Path("/proc/self/journal"))


@given(
    sizes=st.lists(st.integers(0, 300), max_size=30),
    segment=st.integers(100, 2000),
    block=st.integers(1, 700),
    torn=st.integers(0, 40),
)
def test_blocks_are_whole_entries_and_can_be_taken_up_after_each(sizes: list[int], segment: int, block: int, torn: int):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SEGMENT_BYTES", segment)
        journal = Journal(Path(folder))
        for size in sizes:
            journal.append("call", orjson.dumps({"text": "é" * size}))
        journal.close()
        last = max(Path(folder).glob("*.jsonl"))
        last.write_bytes(last.read_bytes()[: -torn or None])
        entries = [line + b"\n" for _, line in read_entries(Path(folder))]
        blocks = list(read_blocks(Path(folder), Position(1, 0), block))
        assert b"".join(lines for _, lines in blocks) == b"".join(entries)
        assert all(lines.endswith(b"\n") for _, lines in blocks)
        for i, (end, _) in enumerate(blocks):
            rest = b"".join(lines for _, lines in read_blocks(Path(folder), end, block))
            assert rest == b"".join(lines for _, lines in blocks[i + 1 :])


async def test_what_one_turn_of_the_loop_appends_is_written_at_once_and_before_what_it_set_going(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written: list[int] = []
    journal = Journal(tmp_path / "j")
    real = journal._file
    monkeypatch.setattr(journal, "_file", SimpleNamespace(write=lambda b: (written.append(len(b)), real.write(b))[1]))
    places = [journal.append("call", b'{"n":%d}' % i) for i in range(50)]
    assert not written
    seen: list[int] = []
    asyncio.get_running_loop().call_soon(lambda: seen.append(len(bodies(tmp_path / "j"))))  # what a reply sets going
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == [50]
    assert len(written) == 1
    place = journal.append("call", b'{"n":50}')
    assert journal.read(place) == {"n": 50}  # what is asked for is there, written or not
    assert journal.read(places[7]) == {"n": 7}
    monkeypatch.setattr(journal, "_file", real)
    journal.append("call", b'{"n":51}')
    journal.close()
    assert [b["n"] for b in bodies(tmp_path / "j")] == list(range(52))


def test_what_a_loop_that_has_ended_left_is_written_by_the_thread(tmp_path: Path):
    journal = Journal(tmp_path / "j")

    async def leave() -> None:
        journal.append("call", b'{"n":1}')

    asyncio.run(leave())
    deadline = time.monotonic() + 10
    while not bodies(tmp_path / "j") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert bodies(tmp_path / "j") == [{"n": 1}]
    journal.append("call", b'{"n":2}')
    journal.close()
    assert bodies(tmp_path / "j") == [{"n": 1}, {"n": 2}]


async def test_a_turn_that_cannot_be_written_is_reported_and_the_next_append_refused(tmp_path: Path):
    told: list[OSError] = []
    journal = Journal(tmp_path / "j", on_error=told.append)
    journal._file.close()
    journal._file = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
    journal.append("call", b"{}")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(told) == 1
    with pytest.raises(Stopped, match="No space left"):
        journal.append("call", b"{}")
    journal.close()


def test_closing_while_a_group_is_made_safe_ends_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Closed in every moment of a group's making, the one between its wait and its look at what there is included."""
    monkeypatch.setattr(module, "GROUP_SECONDS", 0.002)
    for i in range(150):
        journal = Journal(tmp_path / f"j{i}")
        journal.append("call", b"{}")
        time.sleep(0.0018 + i % 15 * 0.00005)
        ending = threading.Thread(target=journal.close, daemon=True)
        ending.start()
        ending.join(10)
        assert not ending.is_alive()


async def test_what_another_thread_is_writing_is_waited_for(tmp_path: Path):
    """An entry that the thread which makes groups safe has taken, and not yet written, is there for who reads it."""
    journal = Journal(tmp_path / "j")
    place = journal.append("call", b'{"n":1}')  # gathered: the loop has not had its turn
    begun, goes_on, file = threading.Event(), threading.Event(), journal._file

    class Slow:
        def write(self, data: memoryview) -> int:
            begun.set()
            goes_on.wait(5)
            return file.write(data)

        def __getattr__(self, name: str):
            return getattr(file, name)

    journal._file = Slow()
    with journal._lock:
        writer = threading.Thread(target=lambda: [journal._lock.acquire(), journal._write(), journal._lock.release()])
        writer.start()
    assert begun.wait(5)  # the loop must not have its turn
    threading.Timer(0.2, goes_on.set).start()
    assert journal.read(place) == {"n": 1}
    writer.join()
    journal._file = file
    journal.close()
