from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from support import write_rows

from synth.errors import InputError
from synth.records import Problem
from synth.sources import open_source


def problems(name: Path | str, **options) -> list[Problem]:
    return [given.problem for given in open_source(str(name), **options).problems()]


def bad(path: Path, **options) -> list[tuple[int, str]]:
    return [tuple(row) for row in open_source(str(path), **options).scan().bad]


ROWS = [
    {"question": "How many are 1 and 1?", "answer": "2", "level": 3},
    {"question": "Wie viele sind 2 und 2? – «vier»", "answer": "4", "level": 4},
]


def test_the_same_rows_give_the_same_problems_from_every_kind_of_file(tmp_path: Path):
    frame = pl.DataFrame(ROWS)
    write_rows(tmp_path / "a.jsonl", ROWS)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "a.tsv", separator="\t")
    frame.write_parquet(tmp_path / "a.parquet")
    first = problems(tmp_path / "a.jsonl")
    assert [(p.question, p.answer, p.answer_kind, p.source) for p in first] == [
        (ROWS[0]["question"], "2", "number", "a.jsonl:1"),
        (ROWS[1]["question"], "4", "number", "a.jsonl:2"),
    ]
    for ending in ("csv", "tsv", "parquet"):
        assert [p.id for p in problems(tmp_path / f"a.{ending}")] == [p.id for p in first]
    assert problems(tmp_path / "a.parquet")[0].meta == {"level": 3}


def test_columns_are_taken_by_their_usual_names_and_by_a_mapping(tmp_path: Path):
    path = write_rows(tmp_path / "a.jsonl", [{"prompt": "1 + 1?", "gold": 2, "solution": "1 and 1 is 2", "extra": [1]}])
    (got,) = problems(path)
    assert (got.question, got.answer, got.reference_solution, got.meta) == (
        "1 + 1?",
        "2",
        "1 and 1 is 2",
        {"extra": [1]},
    )
    path = write_rows(tmp_path / "b.jsonl", [{"ask": "1 + 1?", "answer": "no", "say": "2"}])
    (got,) = problems(path, mapping={"question": "ask", "answer": "say"})
    assert (got.question, got.answer, got.meta) == ("1 + 1?", "2", {"answer": "no"})


def test_gsm8k_answers_are_cut_at_the_mark(tmp_path: Path):
    path = write_rows(tmp_path / "a.jsonl", [{"question": "?", "answer": "So 1 + 1 = <<1+1=2>>2.\n#### 1,002"}])
    (got,) = problems(path)
    assert (got.answer, got.answer_kind, got.reference_solution) == ("1,002", "number", "So 1 + 1 = <<1+1=2>>2.")


@pytest.mark.parametrize(
    ("row", "choices", "answer"),
    [
        ({"choices": ["red", "blue"], "answer": "B"}, ("red", "blue"), "B"),
        ({"choices": ["red", "blue"], "answer": "b)"}, ("red", "blue"), "B"),
        ({"choices": ["red", "blue"], "answer": "Blue"}, ("red", "blue"), "B"),
        ({"options": ["A)red", "B)blue", "C)green"], "correct": "C"}, ("red", "blue", "green"), "C"),
        ({"choices": {"text": ["red", "blue"], "label": ["A", "B"]}, "answerKey": "A"}, ("red", "blue"), "A"),
        ({"choices": {"B": "blue", "A": "red"}, "answer": "A"}, ("red", "blue"), "A"),
        ({"choices": [{"text": "red"}, {"text": "blue"}], "answer_index": 1}, ("red", "blue"), "B"),
        ({"choices": ["red", "blue"], "answer_index": 0, "answer": "whatever"}, ("red", "blue"), "A"),
        ({"choices": [3, 4], "answer": "4"}, ("3", "4"), "B"),
    ],
)
def test_choices_and_their_answers_in_the_forms_they_come_in(tmp_path: Path, row, choices, answer):
    (got,) = problems(write_rows(tmp_path / "a.jsonl", [{"question": "?", **row}]))
    assert (got.choices, got.answer, got.answer_kind) == (choices, answer, "choice")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"answer": "2"}, "'question' is missing"),
        ({"question": None, "answer": "2"}, "'question' is missing"),
        ({"question": "  ", "answer": "2"}, "'question' is empty"),
        ({"question": ["a"], "answer": "2"}, "'question' is a list, not text"),
        ({"question": "?", "answer": ["2"]}, "the answer is a list, not text or a number"),
        ({"question": "?", "answer": {"a": 1}}, "the answer is a dict, not text or a number"),
        ({"question": "?", "answer": ""}, "'answer' is missing, and the pipeline needs the answer"),
        ({"question": "?", "answer": None}, "'answer' is missing, and the pipeline needs the answer"),
        ({"question": "?", "choices": ["a", "b"], "answer": "C"}, "the answer 'C' is none of the choices A–B"),
        ({"question": "?", "choices": ["a", "a"], "answer": "A"}, "the choice 'a' is given twice"),
        ({"question": "?", "choices": ["a"], "answer": "A"}, "there is only one choice"),
        ({"question": "?", "choices": ["a", ""], "answer": "A"}, "one of the choices is empty"),
        ({"question": "?", "choices": "a, b", "answer": "A"}, "the choices are a str, not a list"),
        ({"question": "?", "choices": ["a", "b"], "answer_index": 2}, "answer_index is 2, and there are 2 choices"),
        ({"question": "?", "choices": ["a", "b"], "answer_index": -1}, "answer_index is -1"),
        ({"question": "?", "answer": "2", "answer_kind": "colour"}, "answer_kind is 'colour', not one of"),
    ],
)
def test_a_row_that_is_no_problem_says_why(tmp_path: Path, row, why: str):
    good = {"question": "good?", "choices": ["a", "b"], "answer_index": 0} if "answer_index" in row else None
    path = write_rows(tmp_path / "a.jsonl", [good or {"question": "good?", "answer": "1"}, row])
    ((line, said),) = bad(path, needs=frozenset({"answer"}))
    assert line == 2
    assert why in said


def test_every_bad_row_is_listed_with_its_line(tmp_path: Path):
    good = json.dumps({"question": "1?", "answer": "1"})
    lines = [good, "", "{broken", "[1]", good, good.replace('"1"', '"2"'), '{"question": "\xff"}', '{"question": "2?"}']
    path = tmp_path / "a.jsonl"
    path.write_bytes("\n".join(lines).encode("latin-1"))
    found = bad(path, needs=frozenset({"answer"}))
    assert [line for line, _ in found] == [3, 4, 5, 6, 7, 8]
    said = dict(found)
    assert "not JSON" in said[3]
    assert "column" in said[3]
    assert said[4] == "this is a JSON list, not an object"
    assert said[5] == "the same question as in line 1"
    assert said[6] == "the same question as in line 1 but another answer"
    assert "UTF-8" in said[7]
    assert "'answer' is missing" in said[8]
    assert [p.problem.source for p in open_source(str(path), needs=frozenset({"answer"})).problems()] == ["a.jsonl:1"]


def test_questions_that_differ_in_white_space_or_case_are_the_same(tmp_path: Path):
    rows = [{"question": "How  Many?"}, {"question": "how many?\n"}, {"question": "how many?", "choices": ["a", "b"]}]
    assert bad(write_rows(tmp_path / "a.jsonl", rows)) == [(2, "the same question as in line 1")]


def test_csv_rows_with_too_many_or_too_few_cells(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('question,answer\n"1,\n1?",2\n2?\n3?,4,5\n4?,5\n')
    assert bad(path) == [
        (4, "this row has fewer cells than the header"),
        (5, "this row has more cells than the header"),
    ]
    assert [p.question for p in problems(path)] == ["1,\n1?", "4?"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("none.jsonl", None, "there is no such file"),
        ("empty.jsonl", b"", "the input is empty"),
        ("blank.jsonl", b"\n\n  \n", "the input is empty"),
        ("header.csv", b"question,answer\n", "the input is empty"),
        ("a.txt", b"hello", "cannot tell what kind of file"),
        ("a.parquet", b"hello", "not a Parquet file"),
        ("all-bad.jsonl", b"{\n[\n", "not one row of the input can be read"),
        ("columns.jsonl", b'{"ask": "?", "say": "!"}\n', "no column gives the question"),
        ("latin.csv", "question,answer\nfür?,1\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_an_input_that_cannot_be_read_says_what_and_where(tmp_path: Path, name: str, content, what: str):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        open_source(str(path)).scan()
    assert name in str(caught.value)


def test_a_mapping_that_is_wrong_says_what_there_is(tmp_path: Path):
    path = write_rows(tmp_path / "a.jsonl", [{"ask": "?", "say": "!"}])
    with pytest.raises(InputError, match="no column 'prompt'") as caught:
        open_source(str(path), mapping={"question": "prompt"})
    assert "ask, say" in str(caught.value)
    with pytest.raises(InputError, match="no field 'query'"):
        open_source(str(path), mapping={"query": "ask"})


def test_problems_of_a_generator():
    pytest.importorskip("reasoning_gym")
    first = problems("gym:chain_sum?size=20&seed=3")
    assert len(first) == 20
    assert [p.id for p in first] == [p.id for p in problems("gym:chain_sum?size=20&seed=3")]
    assert [p.id for p in first] != [p.id for p in problems("gym:chain_sum?size=20&seed=4")]
    assert all(p.answer_kind == "number" for p in first)
    assert first[3].meta["gym_task"] == "chain_sum"
    with pytest.raises(InputError, match="chain_sum"):
        problems("gym:chain_smu")
    with pytest.raises(InputError, match="refuses"):
        problems("gym:chain_sum?colour=3")
