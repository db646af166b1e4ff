"""A commit can be taken apart without being parsed, and gives what parsing it gives."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ask, contents, manifest

from synth.records import Problem, Rationale, Score, UnitRecord
from synth.store import incoming
from synth.store.commits import commit_body, cut_commit
from synth.store.journal import Journal
from synth.store.materialize import materialize

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
    apart = cut_commit(body)
    assert orjson.loads(apart.owner) == owner
    assert apart.first is first
    wanted = [(table, {"owner": owner, **row}) for table, rows in read["records"].items() for row in rows]
    assert [(table, orjson.loads(row)) for table, row in apart.rows] == wanted
    assert [next(iter(orjson.loads(row))) for _, row in apart.rows] == ["owner"] * len(made)


@settings(max_examples=10)  # each makes two databases
@given(owner=TEXT, made=records())
def test_a_commit_of_any_layout_gives_the_same_rows(owner: str, made: list[UnitRecord]):
    """White space between the parts of JSON, tabs included, changes no row; only commits of this process are cut at tabs."""
    ours = commit_body(owner, "f", made)
    spread = json.dumps(orjson.loads(ours), indent=None, separators=("\t,\t", "\t:\t")).encode()
    tables = []
    for body in (ours, spread):
        with TemporaryDirectory() as name:
            manifest(Path(name))
            journal = Journal(Path(name) / "journal")
            journal.append("commit", body)
            journal.close()
            tables.append(contents(Path(name)))
            assert materialize(Path(name))
            tables.append(contents(Path(name)))
    assert tables[0] == tables[1] == tables[2] == tables[3]


def test_the_fold_parses_no_commit_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What this process wrote since it opened the journal is cut apart; the same `materialize` without that knowledge parses it."""
    parsed: list[bytes] = []
    real = incoming.parse_entry
    journal = Journal(tmp_path / "journal")
    manifest(tmp_path)
    for i in range(200):
        journal.append("commit", commit_body(f"u{i}", "f", [problem(f"q{i}", f"u{i}")], first=True))
    journal.close()
    monkeypatch.setattr(incoming, "parse_entry", lambda line: (parsed.append(line), real(line))[1])
    materialize(tmp_path, journal.began)
    assert not parsed
    assert ask(tmp_path, "SELECT count(*), count(DISTINCT unit) FROM problems") == [(200, 200)]
    (tmp_path / "corpus.duckdb").unlink()
    materialize(tmp_path)
    assert len(parsed) == 200
    assert ask(tmp_path, "SELECT count(*), count(DISTINCT unit) FROM problems") == [(200, 200)]


@settings(max_examples=25)  # each makes several databases; 12 do not always find one that is read twice
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 9), max_size=3, unique=True), st.booleans()), max_size=12
    )
)
def test_what_an_owner_commits_last_is_what_is_there(steps: list[tuple[int, list[int], bool]]):
    """However the commits are spread over several calls of `materialize`; the tail that is not materialized counts too."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        manifest(folder)
        journal = Journal(folder / "journal")
        last: dict[str, list[str]] = {}
        for number, questions, folds in steps:
            owner = f"u{number}"
            made = [problem(f"{owner} {q}", owner) for q in questions]
            journal.append("commit", commit_body(owner, "f", made, first=owner not in last))
            last[owner] = [p.question for p in made]
            if folds:
                materialize(folder)
        journal.close()
        wanted = sorted(q for questions in last.values() for q in questions)
        assert sorted(q for (q,) in ask(folder, "SELECT question FROM problems")) == wanted
        materialize(folder)
        assert sorted(q for (q,) in ask(folder, "SELECT question FROM problems")) == wanted


def test_units_that_were_done_twice_do_not_take_a_statement_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inserts: list[int] = []
    real = incoming.Rows._insert
    monkeypatch.setattr(incoming.Rows, "_insert", lambda self: (inserts.append(1), real(self))[1])
    journal = Journal(tmp_path / "journal")
    manifest(tmp_path)
    for turn in range(2):
        for i in range(50):
            journal.append("commit", commit_body(f"u{i}", "f", [problem(f"q{turn} {i}", f"u{i}")], first=not turn))
    journal.close()
    assert ask(tmp_path, "SELECT count(*), min(question) FROM problems") == [(50, "q1 0")]
    assert len(inserts) == 2
    materialize(tmp_path)
    assert len(inserts) == 4
    assert ask(tmp_path, "SELECT count(*), min(question) FROM problems") == [(50, "q1 0")]


def test_a_store_that_was_left_half_made_is_made_again(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    manifest(tmp_path)
    journal.append("commit", commit_body("u", "f", [problem("q", "u")], first=True))
    journal.close()
    materialize(tmp_path)
    with duckdb.connect(str(tmp_path / "corpus.duckdb")) as con:
        con.execute("DROP TABLE folded")
    assert ask(tmp_path, "SELECT question FROM problems") == [("q",)]
    assert materialize(tmp_path)
    assert ask(tmp_path, "SELECT question FROM problems") == [("q",)]
