"""A commit can be taken apart without being read, and gives what reading it gives."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ask

from synth.records import Problem, Rationale, Score, UnitRecord
from synth.store import commits, database
from synth.store.commits import commit_body, read_commit
from synth.store.database import fold
from synth.store.journal import Journal

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["\t", '","fingerprint":', ',"first":true', '\t,\t{"x":1}\t]', "],\t", '"problems":[', "\\", '\\"']
)


def problem(question: str, unit: str = "u") -> Problem:
    return Problem(id=question, unit=unit, step="input", question=question, meta={question: [question]})


@st.composite
def records(draw: st.DrawFn) -> list[UnitRecord]:
    made: list[UnitRecord] = []
    for text in draw(st.lists(TEXT, max_size=5)):
        kind = draw(st.integers(0, 2))
        if kind == 0:
            made.append(problem(text))
        elif kind == 1:
            made.append(
                Rationale(id=text, unit="u", step="s", problem="p", author="human", response=text, steps=(text, ""))
            )
        else:
            made.append(Score(id=text, unit="u", step="s", target="t", name="n", value=0.5, judge="j", reason=text))
    return made


@given(owner=TEXT, fingerprint=TEXT, made=records(), first=st.booleans(), at=st.none() | st.floats(0, 2e9))
def test_taken_apart_is_the_same_as_read(
    owner: str, fingerprint: str, made: list[UnitRecord], first: bool, at: float | None
):
    body = commit_body(owner, fingerprint, made, first=first, at=at)
    assert b"\n" not in body
    read = orjson.loads(body)
    assert (read["owner"], read["fingerprint"], read.get("at"), read.get("first", False)) == (
        owner,
        fingerprint,
        at,
        first,
    )
    assert {t: len(rows) for t, rows in read["records"].items()} == {
        t: sum(r.table == t for r in made) for t in dict.fromkeys(r.table for r in made)
    }
    apart = read_commit(body)
    assert orjson.loads(apart.owner) == owner
    assert apart.first is (first and bool(made))  # an empty one is read, and promises nothing
    wanted = [(table, {"owner": owner, **row}) for table, rows in read["records"].items() for row in rows]
    assert [(table, orjson.loads(row)) for table, row in apart.rows] == wanted
    assert [next(iter(orjson.loads(row))) for _, row in apart.rows] == ["owner"] * len(made)


@given(owner=TEXT, made=records())
def test_one_that_others_wrote_is_read(owner: str, made: list[UnitRecord]):
    ours = commit_body(owner, "f", made)
    theirs = orjson.dumps(orjson.loads(ours))
    assert b"\t" not in theirs
    assert [(t, orjson.loads(r)) for t, r in read_commit(theirs).rows] == [
        (t, orjson.loads(r)) for t, r in read_commit(ours).rows
    ]
    assert not read_commit(theirs).first


def test_the_fold_reads_no_commit_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[bytes] = []
    real = orjson.loads
    journal = Journal(tmp_path / "journal")
    (tmp_path / "run.json").write_text("{}")
    for i in range(200):
        journal.append("commit", commit_body(f"u{i}", "f", [problem(f"q{i}", f"u{i}")], first=True))
    journal.close()
    monkeypatch.setattr(commits.orjson, "loads", lambda text: (read.append(text), real(text))[1])
    fold(tmp_path)
    assert not read
    monkeypatch.undo()
    assert ask(tmp_path, "SELECT count(*), count(DISTINCT unit) FROM problems") == [(200, 200)]


@settings(max_examples=25)  # each makes several databases
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 9), max_size=3, unique=True), st.booleans()), max_size=12
    )
)
def test_what_an_owner_commits_last_is_what_is_there(steps: list[tuple[int, list[int], bool]]):
    """However the commits are spread over folds; the tail that is not folded counts too."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.json").write_text("{}")
        journal = Journal(folder / "journal")
        last: dict[str, list[str]] = {}
        for number, questions, folds in steps:
            owner = f"u{number}"
            made = [problem(f"{owner} {q}", owner) for q in questions]
            journal.append("commit", commit_body(owner, "f", made, first=owner not in last))
            last[owner] = [p.question for p in made]
            if folds:
                fold(folder)
        journal.close()
        wanted = sorted(q for questions in last.values() for q in questions)
        assert sorted(q for (q,) in ask(folder, "SELECT question FROM problems")) == wanted
        fold(folder)
        assert sorted(q for (q,) in ask(folder, "SELECT question FROM problems")) == wanted


def test_units_that_were_done_twice_do_not_take_a_statement_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inserts: list[int] = []
    real = database._Rows.insert
    monkeypatch.setattr(database._Rows, "insert", lambda self: (inserts.append(1), real(self))[1])
    journal = Journal(tmp_path / "journal")
    (tmp_path / "run.json").write_text("{}")
    for turn in range(2):
        for i in range(50):
            journal.append("commit", commit_body(f"u{i}", "f", [problem(f"q{turn} {i}", f"u{i}")], first=not turn))
    journal.close()
    assert ask(tmp_path, "SELECT count(*), min(question) FROM problems") == [(50, "q1 0")]
    assert len(inserts) == 2
    fold(tmp_path)
    assert len(inserts) == 4
    assert ask(tmp_path, "SELECT count(*), min(question) FROM problems") == [(50, "q1 0")]


def test_a_store_that_was_left_half_made_is_made_anew(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    (tmp_path / "run.json").write_text("{}")
    journal.append("commit", commit_body("u", "f", [problem("q", "u")], first=True))
    journal.close()
    fold(tmp_path)
    with duckdb.connect(str(tmp_path / "corpus.duckdb")) as con:
        con.execute("DROP TABLE folded")
    assert ask(tmp_path, "SELECT question FROM problems") == [("q",)]
    assert fold(tmp_path)
    assert ask(tmp_path, "SELECT question FROM problems") == [("q",)]
