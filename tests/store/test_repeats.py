"""A journal that was merged, copied or damaged: each entry counts once, and the ledger and the tables read it alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import manifest

from synth.calls import Ledger
from synth.errors import RunFolderError
from synth.store.commits import commit_body
from synth.store.database import open_store
from synth.store.entries import read_journal
from synth.store.journal import START, Journal
from synth.store.materialize import materialize

CALL = {"model": "t", "endpoint": "e", "model_id": "m", "messages": [{"role": "user", "content": "?"}], "started": 0.5}


def call(key: int, attempt: int, status: str = "ok", **more: Any) -> tuple[str, bytes]:
    """An attempt at a key."""
    made = {"id": f"c{key}.{attempt}", "key": f"k{key}", "attempt": attempt, "status": status, "latency": 1.0}
    return "call", orjson.dumps(CALL | made | {"price": 0.25, "unit": "u", "reply": "r"} | more)


def commit(owner: str, *questions: str, first: bool = False) -> tuple[str, bytes]:
    """A commit of a unit that asks these questions."""
    from synth.records import Problem

    made = [Problem(id=f"{owner} {q}", unit=owner, step="input", question=q) for q in questions]
    return "commit", commit_body(owner, "f", made, first=first)


def write(folder: Path, lines: list[bytes], segments: int = 1) -> Path:
    """A run folder with these lines of a journal, in so many segments."""
    manifest(folder)
    (folder / "journal").mkdir()
    size = -(-len(lines) // segments)
    for n in range(segments):
        part = lines[n * size : (n + 1) * size]
        (folder / f"journal/{n + 1:06d}.jsonl").write_bytes(b"".join(part))
    return folder


def lines_of(entries: list[tuple[str, bytes]]) -> list[bytes]:
    """The lines in which the journal writes entries."""
    with TemporaryDirectory() as name:
        journal = Journal(Path(name) / "journal")
        for kind, body in entries:
            journal.append(kind, body)
        journal.close()
        return (Path(name) / "journal/000001.jsonl").read_bytes().splitlines(keepends=True)


def tables(folder: Path) -> tuple[list[Any], list[Any]]:
    """What the store tells of calls and problems."""
    with open_store(folder) as store:
        calls = store.sql("SELECT id, key, attempt, status, price FROM calls ORDER BY ALL").fetchall()
        return calls, store.sql("SELECT id, question FROM problems ORDER BY ALL").fetchall()


def ledger(folder: Path) -> tuple[Any, ...]:
    """What the ledger tells of the same journal."""
    journal = Journal(folder / "journal")
    made, keys, commits = Ledger(journal), [], []
    for location, entry in read_journal(journal.folder):
        if entry.kind == "call":
            made.note(location, entry.body)
            keys.append(entry.body["key"])
        elif entry.kind == "forget":
            made.forget(entry.body["key"])
        elif entry.kind == "commit":
            commits.append((entry.body["owner"], entry.body["records"]))
    journal.close()
    state = {key: (made.next_attempt(key), made.ended(key), key in made) for key in keys}
    return made.calls, made.cost, made.tokens, state, dict(commits)


@st.composite
def journals(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    """The entries of a run: attempts, commits that replace others, replies that were forgotten."""
    made: list[tuple[str, bytes]] = []
    attempts: dict[int, int] = {}
    owners: set[str] = set()
    for kind, key, n in draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2)), max_size=12)):
        if kind < 3:
            attempts[key] = attempts.get(key, 0) + 1
            made.append(call(key, attempts[key], ["ok", "server", "truncated"][n]))
        elif kind < 5:
            owner = f"u{key}"
            made.append(commit(owner, *map(str, range(n)), first=owner not in owners))
            owners.add(owner)
        else:
            made.append(("forget", orjson.dumps({"key": f"k{key}", "unit": f"u{key}"})))
    return made


@st.composite
def repeated(draw: st.DrawFn) -> tuple[list[bytes], list[bytes], int, int]:
    """The lines of a journal; the same with lines that stand there again, each after the first time; segments; and a place."""
    lines = lines_of(draw(journals()))
    more = list(lines)
    for source in draw(st.lists(st.integers(0, max(len(lines) - 1, 0)), max_size=10)) if lines else []:
        place = draw(st.integers(more.index(lines[source]) + 1, len(more)))
        more.insert(place, lines[source])
    return lines, more, draw(st.integers(1, 3)), draw(st.integers(0, len(more)))


@settings(max_examples=10)  # each makes several databases, in half a second
@given(repeated())
def test_however_often_an_entry_stands_there_it_counts_once(given: tuple[list[bytes], list[bytes], int, int]):
    """Copies of a journal that were joined, or of segments, in any mixture: the ledger and the tables are those of the journal,
    whether it was materialized before, in part, or not at all. An old commit that stands there again does not bring back what it was.
    """
    lines, more, segments, place = given
    with TemporaryDirectory() as name:
        for part in ("once", "often", "partly"):
            (Path(name) / part).mkdir()
        once = write(Path(name) / "once", lines)
        wanted, noted = tables(once), ledger(once)
        often = write(Path(name) / "often", more, segments)
        assert tables(often) == wanted
        assert ledger(often) == noted
        assert materialize(often)
        assert tables(often) == wanted
        partly = write(Path(name) / "partly", more[:place])
        assert materialize(partly)
        with (partly / "journal/000001.jsonl").open("ab") as file:
            file.writelines(more[place:])
        assert tables(partly) == wanted
        assert materialize(partly)
        assert tables(partly) == wanted


def test_the_same_commit_again_is_one_that_is_meant(tmp_path: Path):
    """What an owner commits again word for word, as when a unit comes back into the input, is another entry."""
    entries = [commit("u", "a", first=True), commit("u"), commit("u", "a"), commit("u"), commit("u", "a")]
    for n, wanted in enumerate([["a"], [], ["a"], [], ["a"]], 1):
        folder = tmp_path / str(n)
        folder.mkdir()
        write(folder, lines_of(entries[:n]))
        assert [q for _, q in tables(folder)[1]] == wanted


def test_copies_of_a_run_that_went_apart(tmp_path: Path):
    """Joined, two copies that both went on give each call and each row once: of two calls of one id the first, of two commits of
    one owner the last.
    """
    lines = [lines_of([call(1, 1, reply=side), commit("u", side, first=True)]) for side in ("here", "there")]
    folder = write(tmp_path, [*lines[0], *lines[1]])
    for _ in range(2):
        with open_store(folder) as store:
            assert store.sql("SELECT id, reply FROM calls").fetchall() == [("c1.1", "here")]
            assert store.sql("SELECT question FROM problems").fetchall() == [("there",)]
        assert materialize(folder)


def test_an_attempt_whose_entry_is_lost_keeps_its_number(tmp_path: Path):
    """The next attempt gets a number that none has, so that no two calls have one id."""
    folder = write(tmp_path, lines_of([call(1, 1, "server"), call(1, 2, "server")])[1:])
    assert ledger(folder)[3] == {"k1": (3, 2, False)}


def _with(text: str, **fields: Any) -> bytes:
    """A commit whose problem has this written in it, as JSON."""
    row = orjson.dumps({"id": "p", "unit": "u", "step": "input", "question": "q", **fields})[:-1].decode()
    return f'{{"owner":"u","fingerprint":"f","records":{{"problems":[{row}{text}}}]}}}}'.encode()


READ: dict[str, tuple[bytes, Any]] = {
    "a key twice": (_with(',"question":"other"'), "other"),
    "keys in other letters": (_with(',"Question":"other","QUESTION":"third"'), "q"),
    "white space": (_with(' ,\t\t"context" :\t"c"\r'), "q"),
    "a column that no version has": (_with(',"of_tomorrow":[1]'), "q"),
    "the owner": (_with(',"owner":"somebody"'), "q"),
    "escapes": (_with(',"question":"\\u0061\\/\\u0000"'), "a/\0"),
    "a number too large": (_with(',"meta":{"n":1000000000000000000000000000000}'), "q"),
}
DAMAGED = {
    "not a number": _with(',"meta":{"x":NaN}'),
    "half a character": _with(',"question":"\\ud800"'),
    "no UTF-8": _with("").replace(b'"q"', b'"\xff"'),
    "a comma too many": _with(","),
    "a comment": _with("/* x */"),
    "too deep": _with(',"meta":{"x":' + "[" * 300 + "]" * 300 + "}"),
    "another type": _with(',"question":["q"],"choices":7'),
    "no table": b'{"owner":"u","fingerprint":"f","records":{"calls":[],"folded":[{"segment":9}]}}',
    "rows that are none": b'{"owner":"u","fingerprint":"f","records":{"problems":[7]}}',
    "no owner": b'{"fingerprint":"f","records":{}}',
}


@pytest.mark.parametrize("what", READ)
def test_odd_json_is_read_alike(what: str, tmp_path: Path):
    """JSON that our writer would not write means one thing, to the ledger, to a reader and to `materialize`."""
    body, wanted = READ[what]
    folder = write(tmp_path, lines_of([("commit", body)]))
    [(_, records)] = ledger(folder)[4].items()
    assert records["problems"][0]["question"] == wanted
    for _ in range(2):
        with open_store(folder) as store:
            assert store.sql("SELECT question FROM problems").fetchall() == [(wanted,)]
        assert materialize(folder)


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_damaged_is_damaged_for_everybody(what: str, tmp_path: Path):
    """A reader and `materialize` report the line; so does the ledger, but where only the type of a column is wrong."""
    folder = write(tmp_path, lines_of([commit("x", "a"), ("commit", DAMAGED[what])]))
    readers: list[Callable[[Path], object]] = [open_store, materialize, *([] if what == "another type" else [ledger])]
    for use in readers:
        with pytest.raises(RunFolderError, match=r"line 2 of 000001\.jsonl is damaged"):
            use(folder)


@settings(max_examples=30)
@given(st.data())
def test_flipped_bytes_of_a_journal_end_in_words(data: st.DataObject):
    """Whatever a disk makes of a line, the ledger and the tables report it, or agree on what stands there."""
    lines = lines_of([call(1, 1), commit("u", "a", "b", first=True), call(2, 1, "server")])
    content = bytearray(b"".join(lines))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as name:
        folder = write(Path(name), [bytes(content)])
        try:
            noted = ledger(folder)
        except RunFolderError:
            noted = None
        try:
            found = tables(folder)
        except RunFolderError:
            return
        assert noted is not None
        assert len(found[0]) == noted[0]


def test_a_journal_of_a_newer_version_is_reported_as_such(tmp_path: Path):
    """Also where its manifest is lost: before an entry of a kind that is not known yet."""
    lines = lines_of([("run", b'{"pipeline":"my/p","format":3}'), ("of_tomorrow", b"{}")])
    with pytest.raises(RunFolderError, match="another version of synth"):
        ledger(write(tmp_path, lines))


def test_what_this_process_wrote_is_known_to_stand_there_once(tmp_path: Path):
    """`materialize` of a run at work does not parse what the run itself wrote; what stood there before is."""
    folder = write(tmp_path, lines_of([call(1, 1), commit("u", "a", first=True)]) * 2)
    journal = Journal(folder / "journal")
    assert journal.began > START
    for kind, body in (call(2, 1), commit("v", "b", first=True), commit("u", "c")):
        journal.append(kind, body)
    journal.close()
    assert materialize(folder, journal.began)
    calls, problems = tables(folder)
    assert ([c[0] for c in calls], [q for _, q in problems]) == (["c1.1", "c2.1"], ["c", "b"])
