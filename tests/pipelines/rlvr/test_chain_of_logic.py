"""rlvr/chain-of-logic (arXiv:2402.10400): elements judged one by one, put together by a program."""

from __future__ import annotations

import json
from itertools import product
from math import sqrt
from pathlib import Path

import pytest
from methods import code_of
from pydantic import ValidationError
from support import ask, run

from synth.generators import generator_of, made_rows
from synth.generators.expressions import read_expression, value_of
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline

INPUT = "make:rules?elements=2-5&size=240"


def model(right: float) -> ScriptedModel:
    """A model that takes rules apart as they are, and judges each element right with this probability."""
    return ScriptedModel(World(solve_rate=right, simulators=load_pipeline("rlvr/chain-of-logic").simulators))


def exact(row: dict, error: float) -> float:
    """How probable the right answer is with a judge that errs so often on each element: the sum over all patterns of errors."""
    names = [e["name"] for e in row["elements"]]
    verdicts = [e["verdict"] for e in row["elements"]]
    rule = read_expression(row["expression"], names)
    result = value_of(rule, verdicts)
    return sum(
        error ** sum(pattern) * (1 - error) ** (len(names) - sum(pattern))
        for pattern in product((False, True), repeat=len(names))
        if value_of(rule, [v is not wrong for v, wrong in zip(verdicts, pattern, strict=True)]) is result
    )


async def test_accuracy_is_what_the_errors_of_elements_predict(tmp_path: Path):
    """Within three standard errors of the exact sum; the score of each element says which verdicts are wrong; 1 + m calls a problem."""
    error = 0.15
    await run("rlvr/chain-of-logic", INPUT, tmp_path / "run", model(1 - error))
    chances = [exact(row, error) for row in made_rows(generator_of("rules", {"elements": "2-5", "size": 240}))]
    (found,) = ask(tmp_path / "run", "SELECT sum(value) FROM scores WHERE name = 'correct'")
    assert abs(found[0] - sum(chances)) < 3 * sqrt(sum(p * (1 - p) for p in chances))
    wrong, n = ask(tmp_path / "run", "SELECT sum(1 - value), count(*) FROM scores WHERE name = 'element_correct'")[0]
    assert n == 240 / 4 * (2 + 3 + 4 + 5)
    assert abs(wrong / n - error) < 3 * sqrt(error * (1 - error) / n)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(240 + n,)]


async def test_a_wrong_answer_names_the_elements_that_would_change_it(tmp_path: Path):
    """With the other verdict on a criticised element the answer is the gold one, and with that on another it is not; luck is seen."""
    await run("rlvr/chain-of-logic", INPUT, tmp_path / "run", model(0.8))
    query = """SELECT r.id, CAST(r.parts AS TEXT), r.answer, p.answer, CAST(p.meta AS TEXT) FROM rationales r JOIN problems p ON p.id = r.problem
        WHERE r.step = 'compose'"""
    criticised: dict[str, set[int]] = {}
    for target, index in ask(tmp_path / "run", "SELECT target, CAST(part->>'index' AS INTEGER) FROM critiques"):
        criticised.setdefault(target, set()).add(index)
    lucky = dict(ask(tmp_path / "run", "SELECT target, value FROM scores WHERE name = 'lucky'"))
    kept = {id_ for (id_,) in ask(tmp_path / "run", "SELECT id FROM kept_rationales WHERE step = 'compose'")}
    seen = 0
    for id_, parts, answer, gold, meta in ask(tmp_path / "run", query):
        verdicts = json.loads(parts)["verdicts"]
        names, values = list(verdicts), list(verdicts.values())
        rule = read_expression(json.loads(parts)["expression"], names)
        assert answer == ("yes" if value_of(rule, values) else "no")
        flips = {
            i
            for i in range(len(names))
            if value_of(rule, [*values[:i], not values[i], *values[i + 1 :]]) is (gold == "yes") and answer != gold
        }
        assert criticised.get(id_, set()) == flips
        seen += bool(flips)
        all_right = all(e["verdict"] is verdicts[e["name"]] for e in json.loads(meta)["elements"])
        assert lucky[id_] == float(answer == gold and not all_right)
        assert (id_ in kept) is (answer == gold and all_right)
    assert seen > 20


@pytest.mark.parametrize(
    ("elements", "expression", "why"),
    [
        ("a: it rains\nb: it snows", "a and c", "'c' is not one of a, b"),
        ("a: it rains\nb: it snows", "a", "does not name the element b"),
        ("a: it rains\na: it snows", "a", "two elements have one name"),
        ("It rains", "a", "is not written as name: condition"),
        ("a: it rains", "__import__('os')", "only and, or, not"),
        ("", "a", "at least 1 item"),
    ],
)
def test_a_decomposition_that_does_not_fit_together_is_sent_back(elements: str, expression: str, why: str):
    """Missing and further elements, and text that is no expression: nothing of it runs."""
    decomposition = code_of("rlvr/chain-of-logic").Decomposition
    with pytest.raises(ValidationError, match=why):
        decomposition(elements=elements, expression=expression)


def test_a_decomposition_is_read_in_one_form():
    """Numbers and marks of lists go, and the expression is printed with the brackets that it needs."""
    read = code_of("rlvr/chain-of-logic").Decomposition(
        elements="1. rain: it rains\n- snow: it snows\n`cold`: it is cold",
        expression="((rain) or (snow)) and (not cold).",
    )
    assert read.elements == ["rain: it rains", "snow: it snows", "cold: it is cold"]
    assert read.expression == "(rain or snow) and not cold"
