"""Columns that DuckDB computes are the properties of the records."""

from __future__ import annotations

import duckdb
import hypothesis.strategies as st
from hypothesis import example, given

from synth.records import Rationale
from synth.store.columns import derived_columns, stored_columns

PIECES = [
    "The answer is 4.",
    "**Answer:** 4",
    "so 2+2=4",
    ". ",
    "。",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u00a0",
    "\u3000",
    "'",
    '"',
    "😀",
    "é",
    "a",
]
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join)


@st.composite
def rationales(draw: st.DrawFn) -> Rationale:
    response = draw(TEXT.filter(lambda t: "\0" not in t))
    ends = sorted(draw(st.tuples(st.integers(0, len(response)), st.integers(0, len(response)))))
    span = draw(st.none() | st.just((ends[0], ends[1])))
    thought = draw(st.none() | TEXT.filter(lambda t: "\0" not in t))
    fields = {"problem": "p", "author": "teacher", "response": response, "answer_span": span, "thought": thought}
    return Rationale.make(unit="u", step="s", because=0, **fields)


def _made(**fields: object) -> Rationale:
    return Rationale.make(unit="u", step="s", because=0, problem="p", author="teacher", **fields)


CON = duckdb.connect()
CON.execute(
    "CREATE TABLE r ("
    + ", ".join(f'"{n}" {t}' for n, t in stored_columns(Rationale).items())
    + "".join(f', "{n}" VARCHAR GENERATED ALWAYS AS ({sql}) VIRTUAL' for n, sql in derived_columns(Rationale).items())
    + ")"
)


@given(rationales())
@example(_made(response="It is so.\nThe answer is 4. Hope this helps!", answer_span=(10, 26), thought=" t\n"))
@example(_made(response="The answer is 4.", answer_span=(0, 16), thought="\n\nFirst.\n"))
@example(_made(response="So 2+2=\\boxed{4}.", answer_span=(7, 16)))
@example(_made(response="😀 Yes.  \nThe answer is 4.\n", answer_span=(9, 25)))
def test_sql_and_python_derive_the_same_text(rationale: Rationale):
    """For any response, span and thought, `text` and `reasoning` are equal in DuckDB and in Python."""
    CON.execute("DELETE FROM r")
    span = list(rationale.answer_span) if rationale.answer_span else None
    CON.execute(
        "INSERT INTO r (id, response, thought, answer_span) VALUES (?, ?, ?, ?)",
        [rationale.id, rationale.response, rationale.thought, span],
    )
    assert CON.execute("SELECT text, reasoning FROM r").fetchone() == (rationale.text, rationale.reasoning)


def test_a_statement_of_its_own_is_no_reasoning():
    """A sentence or line that states the answer is cut off; an answer within a computation stays."""
    said = "Two and two make four. The answer is 4. Hope this helps!"
    assert _made(response=said, answer_span=(23, 39)).text == "Two and two make four.\nHope this helps!"
    inside = "So 2 + 2 = \\boxed{4} in all."
    assert _made(response=inside, answer_span=(11, 20)).text == inside


def test_the_thought_is_the_text_where_the_response_only_answers():
    """Where the response holds no reasoning, the text is the thought; `reasoning` has each part once."""
    alone = _made(response="The answer is 4.", answer_span=(0, 16), thought="2 and 2.\n")
    assert (alone.text, alone.reasoning) == ("2 and 2.", "2 and 2.")
    both = _made(response="It is four.\nThe answer is 4.", answer_span=(12, 28), thought="2 and 2.")
    assert (both.text, both.reasoning) == ("It is four.", "2 and 2.\n\nIt is four.")
    assert _made(response="The answer is 4.", answer_span=(0, 16)).reasoning == ""
