"""Tests of programs, read from the forms in which data sets give them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import write_rows

from synth.errors import InputError
from synth.records import Problem, Test
from synth.sources import open_source
from synth.sources.program_tests import MOST_TESTS, read_tests


def problems(path: Path) -> list[Problem]:
    return [given.problem for given in open_source(str(path)).problems()]


def bad(path: Path) -> list[str]:
    return [row.why for row in open_source(str(path)).scan().bad]


CHECK = "def check(candidate):\n    assert candidate(1) == 2\n"


@pytest.mark.parametrize(
    ("value", "entry_point", "expected"),
    [
        (None, "f", ()),
        ("assert f(1) == 2", None, (Test(code="assert f(1) == 2"),)),
        (["assert f(1) == 2", "assert f(2) == 3"], None, (Test(code="assert f(1) == 2"), Test(code="assert f(2) == 3"))),
        (CHECK, "f", (Test(code=f"{CHECK}\ncheck(f)\n", entry_point="f"),)),
        (f"{CHECK}\ncheck(f)", "f", (Test(code=f"{CHECK}\ncheck(f)", entry_point="f"),)),
        ([{"input": "1\n", "output": "2\n"}], None, (Test(stdin="1\n", stdout="2\n"),)),
        ([{"output": "2"}], None, (Test(stdin="", stdout="2"),)),
        ([{"call": "f(1)", "expected": [2, None]}], None, (Test(call="f(1)", expected=[2, None]),)),
        ({"inputs": ["1\n", ["2", "3"]], "outputs": ["2\n", 5]}, None, (Test(stdin="1\n", stdout="2\n"), Test(stdin="2\n3", stdout="5"))),
        (
            {"inputs": [[1, "a"]], "outputs": [True], "fn_name": "f"},
            None,
            (Test(call="f(1, 'a')", expected=True, entry_point="f"),),
        ),
        ('[{"input": "1", "output": "2", "testtype": "stdin"}]', None, (Test(stdin="1", stdout="2"),)),
    ],
)  # fmt: skip
def test_tests_are_read_in_the_forms_of_data_sets(value, entry_point, expected):
    assert read_tests(value, entry_point) == expected


@pytest.mark.parametrize(
    ("value", "entry_point", "why"),
    [
        (5, None, "the tests are a int"),
        ([5], None, "test 1 is a int"),
        (["assert True", "  "], None, "test 2 is empty"),
        ([{"stdin": "1"}], None, "test 1 cannot be used"),
        ([{"stdin": "1", "call": "f()"}], None, "test 1 cannot be used"),
        ([{"call": "f()", "code": "x", "expected": 1}], None, "test 1 cannot be used"),
        ([{"code": "x", "expected": 1}], None, "needs call"),
        ([{"code": "x", "wanted": 1}], None, "wanted"),
        ([{"call": "f()", "expected": 2**70}], None, "beyond 64 bits"),
        ({"inputs": ["1"], "outputs": []}, None, "two lists of equal length"),
        (["assert True"] * (MOST_TESTS + 1), None, "at most"),
        ("assert True", 3, "entry point"),
    ],
)
def test_read_tests_another_form_are_reported(value, entry_point, why):
    with pytest.raises(InputError, match=why):
        read_tests(value, entry_point)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_pairs_of_texts_are_kept_as_they_are(pairs):
    """What a program reads and writes is not changed by reading it."""
    read = read_tests({"inputs": [i for i, _ in pairs], "outputs": [o for _, o in pairs]})
    assert [(one.stdin, one.stdout) for one in read] == pairs


def test_a_row_with_tests_needs_no_gold_answer(tmp_path: Path):
    """A problem with tests is one that an answer can be compared with; its id depends on the tests."""
    rows = [{"question": "Add 1.", "tests": [f"assert f(1) == {n}"]} for n in (2, 3)]
    first, second = (problems(write_rows(tmp_path / f"{i}.jsonl", [row]))[0] for i, row in enumerate(rows))
    assert (first.compared_as, first.answer, first.checkable) == ("code", None, True)
    assert first.id != second.id
    assert not Problem.root(question="Add 1.").checkable
    path = write_rows(tmp_path / "b.jsonl", [{"question": "Add 1.", "tests": [3]}])
    (why,) = bad(path)
    assert why.startswith("test 1 is a int, not a text of Python")


def test_a_column_named_test_is_taken_beside_an_entry_point_alone(tmp_path: Path):
    """In other files it may say which split a row is of."""
    (plain,) = problems(write_rows(tmp_path / "a.jsonl", [{"question": "?", "answer": "1", "test": "yes"}]))
    assert (plain.tests, plain.meta) == ((), {"test": "yes"})
    row = {"prompt": "def f(x):\n", "test": CHECK, "entry_point": "f"}
    (humaneval,) = problems(write_rows(tmp_path / "b.jsonl", [row]))
    assert humaneval.tests[0].entry_point == "f"
    assert humaneval.tests[0].code.endswith("check(f)\n")


@pytest.mark.data
def test_all_rows_of_released_programs_are_read(data: Path):
    read = {p.id: p for p in problems(data / "code_outputs.jsonl")}.values()
    assert len(read) == 208
    assert all(len(p.tests) == 1 and p.tests[0].entry_point for p in read)
