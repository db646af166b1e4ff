"""Rules over elements (arXiv:2402.10400): the evaluator is Python's, one flip decides, and printed expressions are read back."""

from __future__ import annotations

import ast
from itertools import product
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.generators import generator_of, made_rows
from synth.generators.expressions import decisive, expression_text, read_expression, value_of
from synth.generators.logic import worlds_of

NAMES = ("a", "b", "c", "d", "e", "f")
STATEMENTS = st.recursive(
    st.integers(0, len(NAMES) - 1).map(lambda i: ("is", i)),
    lambda part: st.one_of(
        part.map(lambda p: ("not", p)),
        st.tuples(st.sampled_from(("and", "or")), st.lists(part, min_size=2, max_size=3)).map(
            lambda two: (two[0], *two[1])
        ),
    ),
    max_leaves=8,
)


def python(text: str, values: dict[str, bool]) -> bool:
    """What Python makes of an expression of these words; it is one that this test printed."""
    assert {type(n) for n in ast.walk(ast.parse(text, mode="eval"))} <= {
        ast.Expression, ast.BoolOp, ast.UnaryOp, ast.Name, ast.And, ast.Or, ast.Not, ast.Load,
    }  # fmt: skip
    return eval(text, {"__builtins__": {}}, values)


@given(STATEMENTS)
def test_expressions_are_evaluated_as_python_does(statement: tuple):
    """All 64 assignments of six elements; and the set of worlds holds the same ones."""
    text = expression_text(statement, NAMES)
    worlds = worlds_of(statement, len(NAMES))
    for world in range(64):
        values = [bool(world >> i & 1) for i in range(6)]
        expected = python(text, dict(zip(NAMES, values, strict=True)))
        assert value_of(statement, values) is expected
        assert bool(worlds >> world & 1) is expected


@given(STATEMENTS)
def test_a_printed_expression_is_read_back(statement: tuple):
    """Printing, reading and printing again changes nothing, and what is read is the statement itself."""
    text = expression_text(statement, NAMES)
    assert read_expression(text, NAMES) == statement
    assert expression_text(read_expression(f" ( {text} )\n", NAMES), NAMES) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a and",
        "a + b",
        "g",
        "a if b else c",
        "print(a)",
        "a.b",
        "a and 1",
        "not",
        "(" * 3000,
        "a" + " and a" * 1000,
        "not " * 60 + "a",
        "a\0",
    ],
)
def test_what_is_no_expression_is_refused(text: str):
    """Text that a model wrote: nothing of it runs, and nothing but ValueError comes of it."""
    with pytest.raises(ValueError, match=r"expression|is not one of"):
        read_expression(text, NAMES)


def rows(**options) -> list[dict]:
    return list(made_rows(generator_of("rules", options)))


def test_the_answer_is_the_rule_over_the_verdicts():
    """By Python's evaluation; elements that decide are those whose flip changes the result, and there is one."""
    made = rows(elements="2-8", size=350, twins="both")
    for row in made:
        verdicts = {element["name"]: element["verdict"] for element in row["elements"]}
        result = python(row["expression"], verdicts)
        assert row["answer"] == ("yes" if result else "no")
        flips = [n for n in verdicts if python(row["expression"], {**verdicts, n: not verdicts[n]}) is not result]
        assert flips == row["decisive"] == decisive(row["expression"], verdicts)
        assert flips
        assert sorted(verdicts) == sorted(
            n.id for n in ast.walk(ast.parse(row["expression"])) if isinstance(n, ast.Name)
        )
        assert all(fact in row["context"] for fact in row["facts"])
        assert all(element["text"] in row["context"] for element in row["elements"])
    share = sum(row["answer"] == "yes" for row in made if "twin" not in row) / 350
    assert abs(share - 0.5) < 3 * sqrt(0.25 / 350)


def test_a_changed_twin_flips_one_element_that_decides():
    """All else is as it was: the rule, and the facts of the other elements."""
    made = rows(elements="2-6", size=60, twins="both")
    for row, same, changed in zip(made[::3], made[1::3], made[2::3], strict=True):
        assert same["elements"] == row["elements"]
        assert len(same["facts"]) == len(row["facts"]) + 1
        assert changed["rule"] == row["rule"] == same["rule"]
        (flipped,) = [a["name"] for a, b in zip(row["elements"], changed["elements"], strict=True) if a != b]
        assert flipped in row["decisive"]
        assert sum(a != b for a, b in zip(row["facts"], changed["facts"], strict=True)) == 1


def test_a_judge_of_elements_that_errs_makes_the_accuracy_that_flips_predict():
    """A judge that errs with probability e on each element, independently: the final answer is right as often as the sum over all patterns of
    errors says; for a plain conjunction that is met this is (1 - e)^m.
    """
    random, error = Random(7), 0.15
    made = rows(elements=4, size=400)
    exact, hits = 0.0, 0
    variance = 0.0
    for row in made:
        verdicts = {element["name"]: element["verdict"] for element in row["elements"]}
        result = python(row["expression"], verdicts)
        right = 0.0
        for pattern in product((False, True), repeat=4):
            judged = {n: v is not wrong for (n, v), wrong in zip(verdicts.items(), pattern, strict=True)}
            if python(row["expression"], judged) is result:
                right += error ** sum(pattern) * (1 - error) ** (4 - sum(pattern))
        if row["expression"].count(" and ") == 3 and "not" not in row["expression"] and result:
            assert right == pytest.approx((1 - error) ** 4)
        judged = {n: v is (random.random() >= error) for n, v in verdicts.items()}
        hits += python(row["expression"], judged) is result
        exact += right
        variance += right * (1 - right)
    assert abs(hits - exact) < 3 * sqrt(variance)
