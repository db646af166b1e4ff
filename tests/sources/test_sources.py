from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
        ({"choices": ["7", "8"], "answer": 8}, ("7", "8"), "B"),
        ({"choices": {"text": ["2", "3", "4"], "label": ["1", "2", "3"]}, "answerKey": "3"}, ("2", "3", "4"), "C"),
        ({"choices": {"text": ["2", "3", "4"], "label": ["1", "2", "3"]}, "answerKey": 3}, ("2", "3", "4"), "C"),
        ({"choices": [{"label": "1", "text": "2"}, {"label": "2", "text": "1"}], "answer": "1"}, ("2", "1"), "A"),
        ({"choices": {"1": "2", "2": "1"}, "answer": "1"}, ("2", "1"), "A"),
        ({"choices": {"text": ["x", "y"], "label": ["P", "Q"]}, "answer": "(q)"}, ("x", "y"), "B"),
        ({"choices": {"text": ["x", "y"], "label": ["P", "Q"]}, "answer": "y"}, ("x", "y"), "B"),
        ({"choices": ["a", "b", "c", "d"], "answer": 1, "subject": "law"}, ("a", "b", "c", "d"), "B"),
        ({"choices": ["4", "3", "2", "1"], "answer": 1, "subject": "law"}, ("4", "3", "2", "1"), "B"),
        ({"choices": ["7", "8"], "answer_number": 1}, ("7", "8"), "A"),
        ({"choices": '["red", "blue"]', "answer": "blue"}, ("red", "blue"), "B"),
        ({"Choices": ["red", "blue"], "Answer": "blue"}, ("red", "blue"), "B"),
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
        (
            {"question": "?", "choices": ["7", "8", "9"], "answer": 1},
            "the answer 1 could be an index from 0 (--map answer_index=COLUMN), or a number from 1",
        ),
        (
            {"question": "?", "choices": ["1", "2", "3"], "answer": 1},
            "the answer 1 could be the text of a choice, or an index from 0",
        ),
        ({"question": "?", "choices": ["7", "8"], "answer": 2}, "the answer 2 could be a number from 1"),
        (
            {"question": "?", "choices": ["7", "8"], "answer": 9},
            "the answer 9 is none of the 2 choices, nor the place of one",
        ),
        (
            {"question": "?", "choices": ["B", "A"], "answer": "A"},
            "the answer 'A' is the letter of the choice 'B' and the text of another",
        ),
        (
            {"question": "?", "choices": {"text": ["a", "b"], "label": ["1", "1"]}, "answer": "1"},
            "the labels of the choices are 1, 1",
        ),
        (
            {"question": "?", "choices": {"text": ["a", "b"], "label": ["1"]}, "answer": "1"},
            "the labels of the choices are 1: not one",
        ),
        (
            {"question": "?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answer": "3"},
            "the answer '3' is none of the choices 1–2",
        ),
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
        ("a.txt", b"hello", "the kind of this file does not follow"),
        ("a.parquet", b"hello", "not a Parquet file"),
        ("all-bad.jsonl", b"{\n[\n", "not one row of the input can be read: line 1: this is not JSON"),
        ("pretty.jsonl", b'{\n "question": "?"\n}\n', "(?s)line 1: this is not JSON.*name the file .json"),
        ("python.jsonl", b"{'question': '?'}\n", "it looks like a Python dictionary"),
        ("short.tsv", b"question\tanswer\n?\n", "line 2: this row has fewer cells than the header"),
        (
            "open.csv",
            b'question,answer\n"a?,1\nb?,2\n',
            "line 2: a quotation mark that opens in this row is never closed",
        ),
        ("twice.csv", b"question,answer,answer\na?,1,2\n", "two columns are named 'answer'"),
        ("wide.csv", "question,answer\na?,1\n".encode("utf-16"), "(?s)UTF-16 text.*iconv"),
        ("wide.jsonl", '{"question": "?"}\n'.encode("utf-16"), "(?s)UTF-16 text.*iconv"),
        (
            "cut.jsonl.gz",
            gzip.compress(b'{"question": "?"}\n' * 999, mtime=0)[:-9],
            "the gz file is damaged, or ends early",
        ),
        ("none.jsonl.gz", b"hello", "the gz file is damaged"),
        ("none.jsonl.zst", b"hello", "the zst file is damaged"),
        ("a.txt.gz", b"hello", r"the kind of this file does not follow from '\.txt\.gz'"),
        (
            "two.json",
            b'{"train": [{"question": "?"}], "test": [{"question": "!"}]}',
            "2 lists of rows: 'train', 'test'",
        ),
        ("broken.json", b'{"question": "?",\n "answer": }', r"not JSON: .* \(line 2, column"),
        ("columns.jsonl", b'{"ask": "?", "say": "!"}\n', "no column gives the question"),
        ("latin.csv", "question,answer\nfür?,1\n".encode("latin-1"), "not UTF-8"),
        (
            "near.jsonl",
            b'{"instruction": "?", "reply": "!"}\n',
            "(?s)its columns: instruction, reply.*--map question=instruction",
        ),
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
    assert first[3].meta["gym_metadata"]["source_index"] == 3
    with pytest.raises(InputError, match="chain_sum"):
        problems("gym:chain_smu")
    with pytest.raises(InputError, match="refuses"):
        problems("gym:chain_sum?colour=3")


def test_packed_files_are_read_as_the_files_in_them(tmp_path: Path):
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
    files = {
        "a.jsonl": lines,
        "a.jsonl.gz": gzip.compress(lines, mtime=0),
        "b.jsonl.gz": gzip.compress(lines[: lines.index(b"\n") + 1], mtime=0)
        + gzip.compress(lines[lines.index(b"\n") + 1 :]),
        "a.jsonl.zst": pa.compress(lines, codec="zstd", asbytes=True),
        "b.jsonl.zst": b"".join(
            pa.compress(line, codec="zstd", asbytes=True) for line in lines.splitlines(keepends=True)
        ),
        "a.csv.gz": gzip.compress(pl.DataFrame(ROWS).write_csv().encode(), mtime=0),
        "A.JSON": json.dumps(ROWS, indent=1).encode(),
        "a.json.gz": gzip.compress(json.dumps({"version": 1, "data": ROWS}).encode(), mtime=0),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert [(p.question, p.answer) for p in problems(tmp_path / name)] == [
            (r["question"], r["answer"]) for r in ROWS
        ]


@pytest.mark.parametrize(
    "content",
    [
        [{"question": "a?", "answer": 1}, {"question": "b?", "answer": 2}],
        {"data": [{"question": "a?", "answer": 1}, {"question": "b?", "answer": 2}], "version": "1"},
        {"question": {"0": "a?", "1": "b?"}, "answer": {"0": 1, "1": 2}},
        {"columns": ["question", "answer"], "index": [0, 1], "data": [["a?", 1], ["b?", 2]]},
        {"x1": {"question": "a?", "answer": 1}, "x2": {"question": "b?", "answer": 2}},
    ],
)
def test_the_forms_of_a_json_file(tmp_path: Path, content):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content, indent=2))
    assert [(p.question, p.answer) for p in problems(path)] == [("a?", "1"), ("b?", "2")]


def test_json_lines_under_the_name_json_and_one_row_alone(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text('{"question": "a?"}\n{"question": "b?"}\n{"question": \n')
    assert [p.question for p in problems(path)] == ["a?", "b?"]
    assert bad(path)[0][0] == 3
    path.write_text(json.dumps({"question": "a?", "answer": "1"}, indent=1))
    assert [p.answer for p in problems(path)] == ["1"]


@pytest.mark.parametrize(
    ("literal", "answer"),
    [
        ("1208925819614629174706176", "1208925819614629174706176"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("18446744073709551615", "18446744073709551615"),
        ("9" * 5000, "9" * 5000),
        ("0.1", "0.1"),
        ("0.10", "0.10"),
        ("1.0", "1.0"),
        ("1e-7", "1e-7"),
        ("0.0000001", "0.0000001"),
        ("1E5", "1E5"),
        ("1e400", "1e400"),
        ("0.12345678901234567890", "0.12345678901234567890"),
        ("3.14", "3.14"),
    ],
)
def test_json_numbers_keep_their_digits(tmp_path: Path, literal: str, answer: str):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"question": "How many?", "answer": {literal}, "more": {{"n": [{literal}]}}}}\n')
    (got,) = problems(path)
    assert got.answer == answer
    (kept,) = got.meta["more"]["n"]
    assert Decimal(str(kept)) == Decimal(literal)
    assert json.loads(got.to_json())["meta"]["more"]["n"] == [kept]


@settings(deadline=None)
@given(
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(allow_nan=False, allow_infinity=False)
)
def test_any_number_is_its_digits(tmp_path_factory, number):
    literal = str(number).replace("E", "e")
    path = tmp_path_factory.mktemp("n") / "a.jsonl"
    path.write_text(f'{{"question": "{literal} is what?", "answer": {literal}}}\n')
    (got,) = problems(path)
    assert got.answer == literal


def test_values_that_are_missing(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"question": "a?", "answer": null}\n{"question": "b?", "answer": NaN}\n{"question": "c?", "answer": ""}\n'
    )
    assert [p.answer for p in problems(path)] == [None, None, None]
    path = tmp_path / "a.csv"
    path.write_text("question,answer,context\na?,NaN,x\nb?,None,null\nc?,,\nd?,none,\n")
    source = open_source(str(path))
    assert [(g.problem.answer, g.problem.context) for g in source.problems()] == [
        (None, "x"),
        (None, None),
        (None, None),
        ("none", None),
    ]
    assert source.notes() == [
        "read as missing: 'NaN' in the column 'answer': 1",
        "read as missing: 'None' in the column 'answer': 1",
        "read as missing: 'null' in the column 'context': 1",
    ]
    pq.write_table(pa.table({"question": ["a?"], "answer": [float("nan")]}), tmp_path / "a.parquet")
    assert [p.answer for p in problems(tmp_path / "a.parquet")] == [None]


def test_numbers_of_parquet_keep_their_digits(tmp_path: Path):
    table = pa.table(
        {
            "question": ["a?", "b?"],
            "answer": pa.array([Decimal("1208925819614629174706176.50"), None], pa.decimal256(40, 2)),
            "short": pa.array([0.1, None], pa.float32()),
            "large": pa.array([2**64 - 1, 1], pa.uint64()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = problems(tmp_path / "a.parquet")
    assert (first.answer, second.answer) == ("1208925819614629174706176.50", None)
    assert first.meta == {"short": 0.1, "large": "18446744073709551615"}
    assert problems(tmp_path / "a.parquet", mapping={"answer": "short"})[0].answer == "0.1"


def test_csv_as_programs_write_it(tmp_path: Path):
    """The index column of pandas, semicolons, a byte order mark, line ends and quotation marks in cells."""
    path = tmp_path / "a.csv"
    for content in (
        ',question,answer\n0,"Say ""hi"",\nnow?",4\n1,b?,6\n',
        '\ufeffquestion;answer\r\n"Say ""hi"",\nnow?";4\r\nb?;6\r\n',
        '"question" , "answer"\n"Say ""hi"",\nnow?",4\nb?,6\n'.replace(" , ", ","),
    ):
        path.write_bytes(content.encode())
        assert [(p.question, p.answer, p.meta) for p in problems(path)] == [
            ('Say "hi",\nnow?', "4", {}),
            ("b?", "6", {}),
        ]
    path.write_text('question,answer\n"Hello" he said?,1\nb?,2\n')
    ((line, why),) = bad(path)
    assert (line, "text follows the closing quotation mark" in why) == (2, True)


def test_escapes_of_json(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "\\u00e9\\n\\"c\\" \\ud83d\\ude00?"}\n{"question": "cut \\ud83d"}\n')
    assert [p.question for p in problems(path)] == ['é\n"c" 😀?']
    ((line, why),) = bad(path)
    assert line == 2
    assert "half of a character (\\ud83d) in 'question'" in why


def test_common_rows_are_read_without_a_mapping(tmp_path: Path):
    """CommonsenseQA, ARC, MATH, MMLU, GSM8K, BoolQ, and chats, as published."""

    def chat(*turns: str) -> list[dict]:
        return [dict(zip(("role", "content"), turn.split(": "), strict=True)) for turn in turns]

    options = [{"label": "A", "text": "bank"}, {"label": "B", "text": "park"}]
    labelled = {"text": ["2", "3", "4", "8"], "label": ["1", "2", "3", "4"]}
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]}
    tools = [*chat("user: Weather?"), call, *chat("tool: sun", "assistant: Sunny.")]
    two = chat("developer: Be brief.", "user: Hi", "assistant: Yes?", "user: 2+2?", "assistant: 4")
    one = [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]
    law = {"question": "Law?", "subject": "law", "choices": ["w", "x", "y", "z"], "answer": 2}
    half = {"problem": "Half?", "solution": "It is $\\boxed{\\frac{1}{2}}$.", "level": "Level 1", "type": "Algebra"}
    rows = [
        ({"question": {"stem": "Where?", "choices": options}, "answerKey": "B"}, "Where?", "B", None),
        ({"question": "Legs?", "choices": labelled, "answerKey": "3"}, "Legs?", "C", None),
        (half, "Half?", "\\frac{1}{2}", None),
        ({"problem": "Five?", "solution": "$\\boxed 5$."}, "Five?", "5", None),
        ({"problem": "Six?", "solution": "It is six."}, "Six?", None, None),
        (law, "Law?", "C", None),
        ({"question": "How many?", "answer": "2+2=<<2+2=4>>4\n#### 4"}, "How many?", "4", None),
        ({"question": "is it?", "passage": "It is.", "answer": True}, "is it?", "yes", "It is."),
        ({"messages": two}, "2+2?", None, "Developer: Be brief.\n\nUser: Hi\n\nAssistant: Yes?"),
        ({"system": "Be brief.", "conversations": one}, "2+2?", None, "System: Be brief."),
        ({"messages": tools}, "User: Weather?\n\nAssistant: look({})\n\nTool: sun", None, None),
    ]
    for row, question, answer, context in rows:
        (got,) = problems(write_rows(tmp_path / "a.jsonl", [row]))
        assert (got.question, got.answer, got.context) == (question, answer, context)


def test_where_no_row_can_be_used_one_message_says_why(tmp_path: Path):
    rows = [{"question": "?", "choices": ["7", "8", "9"], "answer": 1, "topic": n} for n in range(30)]
    source = open_source(str(write_rows(tmp_path / "a.jsonl", rows)))
    said = str(source.nothing_fits(source.scan()))
    assert "not one of the 30 rows can be used: line 1: the answer 1 could be an index from 0" in said
    assert "(so say 30 rows)" in said
    assert "its columns: question, choices, answer, topic" in said
    assert said.count("could be") == 1
