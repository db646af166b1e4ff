"""Composed problems: every link is alive, and the gold answer is what the solutions come to."""

from __future__ import annotations

import ast
import operator
import random
import re
from collections import Counter
from fractions import Fraction
from math import sqrt
from pathlib import Path

import pytest
from support import ROOT, write_rows

from synth.errors import InputError
from synth.generators.atoms import Atom, Unusable, atoms_of, numbers_in
from synth.generators.compose import Compose, Link, final_answer
from synth.generators.generator import NotUnique
from synth.sources import open_source
from synth.verify.calculate import Unvalued

JARS = (
    "A shelf holds 6 rows of 8 jars, and 5 jars are broken. How many are whole?",
    "43",
    "6 * 8 = 48 jars.\nSo 48 - 5 = 43 are left.",
)
SIGNS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def value(expression: str) -> Fraction:
    """The value of an expression by Python's own grammar, which shares nothing with ours."""

    def of(node: ast.AST) -> Fraction:
        if isinstance(node, ast.Constant):
            return Fraction(str(node.value))
        if isinstance(node, ast.UnaryOp):
            return -of(node.operand)
        assert isinstance(node, ast.BinOp), ast.dump(node)
        return SIGNS[type(node.op)](of(node.left), of(node.right))

    return of(ast.parse(re.sub(r"(?<![\d.])0+(?=\d)", "", expression.replace("^", "**")), mode="eval").body)


def atoms(question: str, answer: str, solution: str) -> list[Atom]:
    return atoms_of("p", question, answer, solution)


def drawn(generator: Compose, links: int, n: int) -> list:
    """So many items of one depth."""
    found, rng = [], random.Random(5)
    while len(found) < n:
        try:
            found.append(generator.make(rng, {"links": links}))
        except NotUnique:
            continue
    return found


def over(file: Path | str, **options) -> tuple[Compose, Counter]:
    found, why = [], Counter()
    for given in open_source(str(file)).problems():
        p = given.problem
        try:
            found.append(atoms_of(p.id, p.full_question, p.answer, p.reference_solution))
        except Unusable as reason:
            why[str(reason)] += 1
    return Compose(**options).over(found), why


def test_each_number_of_a_question_can_be_replaced_where_its_way_is_known():
    rows, jars, broken = atoms(*JARS)
    assert [a.number for a in (rows, jars, broken)] == [6, 8, 5]
    assert jars.asked("X") == "A shelf holds 6 rows of X jars, and 5 jars are broken. How many are whole?"
    assert jars.results(Fraction(10)) == [60, 55]
    assert jars.steps(10) == ["6 * 10 = 60", "60 - 5 = 55"]
    assert broken.results(Fraction(50)) == [48, -2]
    assert broken.natural(50, 1000) is None  # no negative number of jars
    assert jars.natural(400, 1000) is None  # above the largest
    assert 5 in broken.numbers(1000)
    assert max(broken.numbers(1000)) <= 17


def test_marks_go_before_the_text_around_them():
    (pages,) = atoms("Omar reads 14 pages a day. How many in a week?", "98", "He reads 14*7 = <<14*7=98>>98 pages.")
    assert pages.steps(20) == ["20 * 7 = 140"]


@pytest.mark.parametrize(
    ("question", "answer", "solution", "why"),
    [
        ("Two friends share 8 of 9 pears. Each?", "x", "8 / 2 = 4", "the answer is no whole number"),
        ("There are 8 pears.", "8", "There are eight.", "the solution calculates nothing"),
        ("8 pears and 6 more?", "15", "8 + 6 = 14", "no equation gives the answer"),
        ("A vase for 25 dollars is sold for 40% more.", "35", "40% of 25 is 10.\n25 + 10 = 35.", "comes from nowhere"),
        ("There are 8 pears, 3 are bad, and each costs 4.", "20", "Good are 5.\n5 * 4 = 20.", "comes from nowhere"),
        ("5 days a week, 11 out of 20.", "55", "5 * 11 = 55", "no number of the question can be replaced"),
        (
            "3 boxes of 4 pens, and 12 pencils.",
            "24",
            "3 * 4 = 12\n12 + 12 = 24",
            "no number of the question can be replaced",
        ),
    ],
)
def test_a_problem_without_an_atom_says_why(question, answer, solution, why):
    """The last: 12 is stated, and is also the result of 3 * 4; which of them is added cannot be known."""
    with pytest.raises(Unusable, match=why):
        atoms(question, answer, solution)


def test_a_link_says_what_it_does():
    answer = "the answer"
    for link, said, number in (
        (Link(), "the answer", 12),
        (Link(times=3), "3 times the answer", 36),
        (Link(by=4), "the answer divided by 4", 3),
        (Link(plus=5), "5 more than the answer", 17),
        (Link(plus=-5), "5 less than the answer", 7),
    ):
        assert (link.said(answer), link.of(Fraction(12))) == (said, number)


@pytest.fixture(scope="module")
def sample() -> Compose:
    return over(ROOT / "samples" / "arithmetic.jsonl")[0]


@pytest.mark.parametrize("links", [1, 2, 5])
def test_solutions_come_to_the_gold_answer(sample: Compose, links: int):
    """Every line that calculates holds by another evaluator, and its last number is that of the next line that uses it."""
    for item in drawn(sample, links, 40):
        check(item, links)


def check(item, links: int) -> None:
    equations = [line.rstrip(".") for line in item.solution if "=" in line]
    for line in equations:
        left, _, right = line.rpartition(" is ")[2].rpartition(" = ")
        assert value(left) == value(right), line
    assert item.answer == item.meta["sub_answers"][-1]
    assert len(item.meta["sub_answers"]) == len(item.meta["atoms"]) == len(set(item.meta["atoms"])) == links
    printed = numbers_in(item.question)
    assert not set(map(Fraction, item.meta["sub_answers"])) & set(printed)
    for i in range(1, links):
        name = f"X_{'ABCDEFGH'[i]}"
        text = next(part for part in item.question.split("\n\n") if part.startswith(f"Problem {name[-1]}"))
        assert text.count(name) == 2  # in its place once, and where it is said what it is
        answer, number = Fraction(item.meta["sub_answers"][i - 1]), item.meta["numbers"][i]
        assert Link(*item.meta["adapters"][i - 1]).of(answer) == number
    if links > 1:
        assert re.findall(r"gives (\S+)\.", "\n".join(item.solution)) == item.meta["sub_answers"]


def parts(generator: Compose, item) -> tuple[list[Atom], list[Link]]:
    """The atoms of an item and its links, found again by what it says of itself."""
    by_id = {same[0][0].id: [atom for atom, _ in same] for same in generator._atoms}
    chain = []
    for id_, number, answer in zip(item.meta["atoms"], item.meta["numbers"], item.meta["sub_answers"], strict=True):
        named = [
            a
            for a in by_id[id_]
            if a.results(Fraction(number))[-1] == int(answer) and a.head in item.question and a.tail in item.question
        ]
        assert named
        chain.append(named[0])
    return chain, [Link(), *(Link(*link) for link in item.meta["adapters"])]


def ended(chain: list[Atom], links: list[Link], at: int, answer: int) -> Fraction | None:
    """The last answer where that of one problem is another; None where a later problem then has none."""
    try:
        return final_answer(chain, links, at, Fraction(answer))
    except Unvalued:
        return None


def moved(generator: Compose, item) -> list[bool]:
    """For each problem but the last, whether the last answer moves with each change of its own by one to three."""
    chain, links = parts(generator, item)
    found = []
    for at, answer in enumerate(item.meta["sub_answers"][:-1]):
        changed = {ended(chain, links, at, int(answer) + c) for c in (-3, -2, -1, 1, 2, 3)}
        found.append(Fraction(item.answer) not in changed)
    return found


def test_every_link_is_alive(sample: Compose):
    assert all(all(moved(sample, item)) for item in drawn(sample, 4, 40))


def test_who_solves_each_link_with_probability_p_is_right_with_p_to_the_number_of_links(sample: Compose):
    """An error in any link reaches the end, because each link is alive. Within three standard deviations."""
    p, rng = 0.8, random.Random(3)
    for links in (2, 3, 5):
        right, tried = 0, 0
        for item in drawn(sample, links, 40):
            chain, ways = parts(sample, item)
            for _ in range(25):
                tried += 1
                wrong = next((at for at in range(links) if rng.random() >= p), None)
                if wrong is None:
                    right += 1
                    continue
                said = int(item.meta["sub_answers"][wrong]) + rng.choice((-2, -1, 1, 2))
                right += ended(chain, ways, wrong, said) == Fraction(item.answer)
        assert abs(right / tried - p**links) < 3 * sqrt(p**links * (1 - p**links) / tried), links


def test_the_source_makes_rows_with_a_stage_for_each_depth():
    name = f"compose:{ROOT / 'samples' / 'arithmetic.jsonl'}?links=2-4&size=9&seed=3"
    one, again = ([g.problem for g in open_source(name).problems()] for _ in range(2))
    assert [p.stage for p in one] == [0, 1, 2] * 3
    assert [p.meta["links"] for p in one] == [2, 3, 4] * 3
    assert [p.id for p in one] == [p.id for p in again]
    assert all(p.reference_solution.endswith(f"The answer is {p.answer}.") for p in one)


def test_the_shipped_chains_are_those_of_the_shipped_problems():
    name = f"compose:{ROOT / 'samples' / 'arithmetic.jsonl'}?links=2-5&size=24"
    made = [g.problem for g in open_source(name).problems()]
    there = [g.problem for g in open_source(str(ROOT / "samples" / "chains.jsonl")).problems()]
    assert [(p.question, p.answer, p.stage) for p in made] == [(p.question, p.answer, p.stage) for p in there]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("?links=0", "links=0: values from 1 to 20"),
        ("?links=x", "links=x: write a whole number"),
        ("?link=3", "unknown option 'link'"),
        ("?links=20", "of its problems can be composed, and a chain is to have 20"),
    ],
)
def test_a_wrong_option_says_so_before_anything_is_made(tmp_path: Path, query: str, why: str):
    rows = write_rows(tmp_path / "in.jsonl", [dict(zip(("question", "answer", "solution"), JARS, strict=True))])
    with pytest.raises(InputError) as error:
        open_source(f"compose:{rows}{query}").scan()
    assert why in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.jsonl"):
        open_source(f"compose:{tmp_path / 'none.jsonl'}?links=2").scan()


@pytest.mark.data
def test_every_atom_of_grade_school_mathematics_moves_the_answer(data: Path):
    """Of 900 problems the replaceable ones are counted exactly; in 100 chains of each depth every change of an atom moves the end."""
    generator, why = over(data / "gsm8k_train.jsonl")
    assert generator.problems == 412
    assert why == {
        "a number of the solution comes from nowhere": 301,
        "no number of the question can be replaced": 107,
        "no equation gives the answer": 50,
        "the solution calculates nothing": 4,
        "an equation cannot be executed": 1,
    }
    for links in (2, 3, 5):
        items = drawn(generator, links, 100)
        for item in items:
            check(item, links)
        assert sum(all(moved(generator, item)) for item in items) == 100
