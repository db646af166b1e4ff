"""Types of replies: what YAML writes, what an endpoint is held to, what is read."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.models.filler import fill
from synth.models.structured import Unreadable, read_structured, response_format
from synth.steps.reply_types import MOST_LEVELS, parse_reply

WORDS = st.sampled_from(["why", "ok", "grade", "kind", "parts", "first_wrong"])


def types() -> st.SearchStrategy[Any]:
    """Types as YAML writes them, with objects and lists within each other."""
    plain = st.sampled_from(
        ["text", "yes_no", "number", "int", "int(1, 5)", "int(-2, 40)", "number(0, 1)", "one_of(right, wrong)", "one_of(a, b, c)", "answer"]
    )  # fmt: skip
    optional = plain.map(lambda kind: f"{kind}?")
    flat = st.one_of(plain, optional, plain.map(lambda kind: f"list({kind})"))
    inner = st.dictionaries(WORDS, flat, min_size=1, max_size=3)
    return st.one_of(flat, inner, inner.map(lambda fields: [fields]))


@given(st.dictionaries(WORDS, types(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_what_a_type_allows_is_read_as_json(written: dict[str, Any], rng: Any):
    """A reply that the schema of a type allows is read, and its values are of that type."""
    kind = parse_reply(written)
    reply = fill(kind.shape, rng)
    schema = response_format(kind.shape)["json_schema"]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    whole = {name: reply.get(name) for name in written}
    value = read_structured(json.dumps(whole), kind.shape)
    for name, of in written.items():
        got = getattr(value, name)
        if of == "yes_no":
            assert got is (whole[name] == "yes")
        elif of == "int(1, 5)":
            assert isinstance(got, int)
            assert 1 <= got <= 5
        elif of == "one_of(right, wrong)":
            assert got in {"right", "wrong"}


@given(
    st.text(alphabet="abc .,:", min_size=1).map(str.strip).filter(bool),
    st.booleans(),
    st.integers(1, 5),
    st.sampled_from(["right", "wrong"]),
)
def test_lines_and_json_are_read_alike(why: str, ok: bool, grade: int, kind: str):
    shape = parse_reply({"why": "text", "ok": "yes_no", "grade": "int(1, 5)", "kind": "one_of(right, wrong)"}).shape
    lines = f"Why: {why}\nOk: {'Yes' if ok else 'No'}.\nGrade: {grade}/5\nKind: {kind.upper()}"
    obj = json.dumps({"why": why, "ok": "yes" if ok else "no", "grade": grade, "kind": kind})
    assert read_structured(lines, shape) == read_structured(obj, shape)
    assert read_structured(obj, shape).model_dump() == {"why": why, "ok": ok, "grade": grade, "kind": kind}


@pytest.mark.parametrize(
    ("written", "text", "value"),
    [
        ("yes_no", " Yes.", True),
        ("yes_no", '{"answer": "no"}', False),
        ("int(1, 5)", "[4]", 4),
        ("int(1, 5)", "4 out of 5", 4),
        ("number(0, 1)", "0.25", 0.25),
        ("one_of(entailed, neither)", "**Entailed**", "entailed"),
        ("list(text)", "- one\n2. two\n\n* three", ["one", "two", "three"]),
    ],
)
def test_a_value_alone(written: str, text: str, value: Any):
    assert read_structured(text, parse_reply(written).shape).answer == value


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("yes_no", "Yes and no"),
        ("int(1, 5)", "6"),
        ("int(1, 5)", "2.5"),
        ("one_of(right, wrong)", "rightly"),
        ({"why": "text"}, '{"why": ""}'),
        ({"why": "text", "ok": "yes_no"}, "Why: so"),
    ],
)
def test_what_is_not_of_the_type_is_not_read(written: Any, text: str):
    with pytest.raises(Unreadable):
        read_structured(text, parse_reply(written).shape)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("yesno", "is no type"),
        ("int(5, 1)", "first bound is to be below"),
        ("int(1.5, 2)", "both whole"),
        ("int(1)", "no two bounds"),
        ("one_of(a)", "from 2 to"),
        ("one_of(a, A)", "different words"),
        ({}, "0 fields"),
        ({"Why not": "text"}, "small letters"),
        ({"model_dump": "text"}, "cannot be called"),
        ({"count": "int"}, "cannot be called"),
        (3, "is no type"),
        (["text", "text"], "is no type"),
        ({"schema": {"type": "string"}}, "that of an object"),
        ({"schema": {"type": "object", "properties": {"a": {"$ref": "#/x"}}}}, r"\$ref cannot be used"),
        ({"schema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+"}}}}, "pattern cannot be used"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_type_says_what_there_is(written: Any, what: str):
    with pytest.raises(ValueError, match=what):
        parse_reply(written)


def test_types_are_bounded():
    """Objects within objects and long lists of fields are refused, not followed."""
    deep: Any = "text"
    for _ in range(MOST_LEVELS + 2):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="within each other"):
        parse_reply(deep)
    with pytest.raises(ValueError, match="within each other"):
        parse_reply("list(" * 50 + "text" + ")" * 50)
    with pytest.raises(ValueError, match="1000 fields"):
        parse_reply({f"f{i}": "text" for i in range(1000)})


def test_json_schema_says_the_same_as_a_type():
    schema = {
        "type": "object",
        "required": ["why", "grade", "parts"],
        "properties": {
            "why": {"type": "string", "description": "in one sentence"},
            "grade": {"type": "integer", "minimum": 1, "maximum": 5},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "parts": {"type": "array", "items": {"type": "object", "properties": {"ok": {"type": "boolean"}}}},
        },
    }
    given_schema = parse_reply({"schema": schema})
    written = parse_reply(
        {"why": {"type": "text", "description": "in one sentence"}, "grade": "int(1, 5)", "kind": "one_of(a, b)?", "parts": [{"ok": "yes_no"}]}
    )  # fmt: skip
    assert response_format(given_schema.shape) == response_format(written.shape)
    assert given_schema.instructions("json") == written.instructions("json")
    assert "in one sentence" in written.instructions("json")


@pytest.mark.parametrize(
    "written",
    [
        {"inner": {"a": "text?"}, "x": "text"},
        {"l": "list(text?)", "x": "text"},
        {"steps": [{"a": "text", "b": "text?"}], "x": "text"},
        {"a": {"type": "text", "description": "a word or null"}, "x": "text"},
    ],
)
def test_a_field_is_optional_only_where_it_says_so(written: dict[str, Any]):
    with pytest.raises(Unreadable):
        read_structured('{"x": "1"}', parse_reply(written).shape)


@pytest.mark.parametrize("written", ['one_of("good", "bad")', "one_of((good), (bad))", "one_of(good., bad.)"])
def test_words_with_marks_are_found_again(written: str):
    shape = parse_reply(written).shape
    assert "good" in read_structured("Good.", shape).answer
    words = response_format(shape)["json_schema"]["schema"]["properties"]["answer"]["enum"]
    assert [read_structured(json.dumps({"answer": word}), shape).answer for word in words] == words


@pytest.mark.parametrize(
    "written",
    [
        "text" + "?" * 3000, "number(-inf, inf)", "number(nan, 1)", {"mistake": {"type": "text", "description": "text"}},
        {"items": "list(text)"}, {"schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": 5}},
        "one_of(a, (a))", "one_of((), [])",
    ],
)  # fmt: skip
def test_types_that_could_not_be_read_are_refused(written: Any):
    with pytest.raises(
        ValueError, match=r"is no type|bound|cannot be called|description|required|different words|within each other"
    ):
        parse_reply(written)
