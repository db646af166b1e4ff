"""The samples are what they say, and their answers are right: computed and decided here a second time."""

# ruff: noqa: E501, E741, PLR1714 - a line a puzzle, names are the initials of things

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import permutations, product

import pytest
from support import ROOT

from synth.sources import open_source

SAMPLES = ROOT / "samples"
ALL = ["arithmetic", "choice", "logic"]


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (SAMPLES / f"{name}.jsonl").read_text().splitlines()]


def imp(a: object, b: object) -> bool:
    return not a or bool(b)


def follows(n: int, premise: Callable[..., object], claim: Callable[..., object]) -> bool:
    """Whether the claim holds in every world of the premise; there must be one."""
    worlds = [w for w in product([False, True], repeat=n) if premise(*w)]
    assert worlds
    return all(claim(*w) for w in worlds)


def some_follow(
    n: int, law: Callable[..., object], there_are: list[Callable[..., object]], claim: Callable[..., object]
) -> bool:
    """Whether a thing of the claim exists wherever every thing obeys the law and things of `there_are` exist."""
    kinds = [w for w in product([False, True], repeat=n) if law(*w)]
    choices = [[k for k in kinds if some(*k)] for some in there_are]
    assert all(choices)
    return all(any(claim(*k) for k in world) for world in product(*choices))


def order(names: str, premise: Callable[[dict], object], claim: Callable[[dict], object]) -> bool:
    """Whether the claim holds in every order of the names that the premise allows."""
    places = [dict(zip(p, range(len(p)), strict=True)) for p in permutations(names)]
    allowed = [p for p in places if premise(p)]
    assert allowed
    return all(claim(p) for p in allowed)


def who(names: str, premise: Callable[[dict], object], test: Callable[[dict, str], object]) -> str:
    """The one name for which the test holds in every allowed order."""
    (found,) = [x for x in names if order(names, premise, lambda p, x=x: test(p, x))]
    return found


def knights(names: str, said: Mapping[str, Callable[[dict], object]], claim: Callable[[dict], object]) -> bool:
    """Whether the claim holds in every world in which knights speak the truth and knaves lie."""
    worlds = [dict(zip(names, w, strict=True)) for w in product([False, True], repeat=len(names))]
    possible = [w for w in worlds if all(w[x] == bool(s(w)) for x, s in said.items())]
    assert possible
    return all(claim(w) for w in possible)


# fmt: off
ARITHMETIC = {
    "arith-01": 14+9,
    "arith-02": 6*8-5,
    "arith-03": 7*12,
    "arith-04": 96/8,
    "arith-05": 5*7,
    "arith-06": 50-17-8,
    "arith-07": 31-12+6,
    "arith-08": 27/3,
    "arith-09": 4*(24-15),
    "arith-10": 3*4+2,
    "arith-11": 9*12-70,
    "arith-12": 200-6*15,
    "arith-13": 2*8+5,
    "arith-14": 4*15+3*20,
    "arith-15": 24%5,
    "arith-16": 90*Fraction(5,2),
    "arith-17": 80*Fraction(3,4),
    "arith-18": 300/4*10,
    "arith-19": (45-9)/2+9,
    "arith-20": 280/35,
    "arith-21": 4-11,
    "arith-22": 135-80,
    "arith-23": 30*2+12*4,
    "arith-24": Fraction(9,6)*20,
    "arith-25": Fraction(12,10)*2*5,
    "arith-26": 240*Fraction(5,8),
    "arith-27": 7*6/2,
    "arith-28": 60*3/60,
    "arith-29": 51/3*2,
    "arith-30": 2*(12+5),
    "arith-31": 45*6/18,
    "arith-32": 64*Fraction(3,4)/2,
    "arith-33": Fraction(3,4)*6,
    "arith-34": 1-Fraction(1,3)-Fraction(1,4),
    "arith-35": Fraction(6,40)*100,
    "arith-36": 20/10+20/20,
    "arith-37": 4*12-9-11-16,
    "arith-38": 25*Fraction(14,10),
    "arith-39": 6*2,
    "arith-40": 240/(3*16),
    "arith-41": (31-7)/2,
    "arith-42": -18+5-9,
    "arith-43": Fraction(65,10)*Fraction(26,10),
    "arith-44": 500*Fraction(62,100)*8,
    "arith-45": 5*2**6,
    "arith-46": 12+240*Fraction(5,100),
    "arith-47": 35/(Fraction(1,2)+Fraction(1,3)),
    "arith-48": 17*10-15*8,
}

LOGIC = {
    "logic-01": ("yes", lambda: follows(3, lambda b, z, p: imp(b, z) and imp(z, p), lambda b, z, p: imp(b, p))),
    "logic-02": ("no", lambda: not some_follow(3, lambda b, z, h: imp(b, z), [lambda b, z, h: b, lambda b, z, h: z and h], lambda b, z, h: b and h)),
    "logic-03": ("no", lambda: follows(3, lambda f, q, m: not (f and q) and imp(m, q), lambda f, q, m: not (m and f))),
    "logic-04": ("no", lambda: follows(2, lambda l, d: imp(l, d) and not d, lambda l, d: not l)),
    "logic-05": ("no", lambda: not follows(2, lambda l, d: imp(l, d) and d, lambda l, d: l)),
    "logic-06": ("yes", lambda: follows(2, lambda r, s: (r != s) and not s, lambda r, s: r)),
    "logic-07": ("no", lambda: follows(3, lambda w, t, d: imp(w, t) and imp(t, d) and not d, lambda w, t, d: not w)),
    "logic-08": ("yes", lambda: some_follow(3, lambda g, s, c: imp(s, c), [lambda g, s, c: g and s], lambda g, s, c: g and c)),
    "logic-09": ("yes", lambda: follows(2, lambda m, e: imp(e, m) and e, lambda m, e: m)),
    "logic-10": ("no", lambda: not follows(2, lambda m, e: imp(e, m) and m, lambda m, e: e)),
    "logic-11": ("yes", lambda: follows(3, lambda k, w, f: imp(k, w or f) and k and not w, lambda k, w, f: f)),
    "logic-12": ("yes", lambda: follows(2, lambda l, r: (l != r) and not l, lambda l, r: r)),
    "logic-13": ("yes", lambda: some_follow(3, lambda p, r, d: not (p and r), [lambda p, r, d: d and r], lambda p, r, d: d and not p)),
    "logic-14": ("no", lambda: some_follow(3, lambda p, r, d: not (p and r), [lambda p, r, d: d and p], lambda p, r, d: d and not r)),
    "logic-15": ("yes", lambda: follows(3, lambda u, v, w: imp(u, v) and imp(v, not w) and u, lambda u, v, w: not w)),
    "logic-16": ("no", lambda: not follows(2, lambda u, v: imp(u, v) and not u, lambda u, v: not v)),
    "logic-17": ("no", lambda: follows(3, lambda o, a, b: (o == (a and b)) and not o and a, lambda o, a, b: not b)),
    "logic-18": ("no", lambda: follows(2, lambda b, h: not (b and h) and b, lambda b, h: not h)),
    "logic-19": ("no", lambda: follows(3, lambda n, f, s: imp(n and f, s) and n and not s, lambda n, f, s: not f)),
    "logic-20": ("yes", lambda: follows(2, lambda l, g: imp(not l, g) and not g, lambda l, g: l)),
    "logic-21": ("yes", lambda: knights("AB", {"A": lambda w: not w["B"], "B": lambda w: w["A"] and w["B"]}, lambda w: w["A"])),
    "logic-22": ("yes", lambda: knights("CD", {"C": lambda w: not w["C"] or w["D"]}, lambda w: w["D"])),
    "logic-23": ("yes", lambda: knights("EF", {"E": lambda w: not w["E"] and not w["F"]}, lambda w: w["F"])),
    "logic-24": ("no", lambda: knights("GH", {"G": lambda w: w["G"] == w["H"]}, lambda w: w["H"])),
    "logic-25": ("no", lambda: knights("IJ", {"I": lambda w: w["J"], "J": lambda w: w["I"] != w["J"]}, lambda w: not w["I"])),
    "logic-26": ("yes", lambda: knights("KLM", {"K": lambda w: not any(w.values()), "L": lambda w: sum(w.values()) == 1}, lambda w: not w["M"])),
    "logic-27": ("no", lambda: knights("NO", {"N": lambda w: imp(w["N"], not w["O"])}, lambda w: not w["O"])),
    "logic-28": ("yes", lambda: knights("PQR", {"P": lambda w: not w["Q"], "Q": lambda w: not w["R"], "R": lambda w: not w["P"] and not w["Q"]}, lambda w: w["Q"])),
    "logic-29": ("Mara", lambda: who("MNO", lambda p: p["M"] < p["N"] < p["O"], lambda p, x: p[x] == 0) == "M"),
    "logic-30": ("Rolf", lambda: who("PQRS", lambda p: p["P"] < p["Q"] < p["R"] and p["S"] < p["P"], lambda p, x: p[x] == 3) == "R"),
    "logic-31": ("rice", lambda: who("TRS", lambda p: p["T"] == 1 and p["R"] < p["S"], lambda p, x: p[x] == 0) == "R"),
    "logic-32": ("dog", lambda: who("CDN", lambda p: p["N"] == 0 and p["D"] != 1, lambda p, x: p[x] == 2) == "D"),
    "logic-33": ("two", lambda: who("WXYab", lambda p: abs(p["W"] - p["X"]) == 1 and p["Y"] == 2 and p["W"] == 0, lambda p, x: p[x] == 1) == "X"),
    "logic-34": ("yes", lambda: order("ZAB", lambda p: p["Z"] < p["A"] < p["B"], lambda p: p["Z"] < p["B"])),
    "logic-35": ("no", lambda: not order("CDE", lambda p: p["C"] < p["D"] and p["E"] < p["D"], lambda p: p["C"] < p["E"])),
    "logic-36": ("yes", lambda: order("GRBW", lambda p: p["G"] + 1 == p["R"] and p["B"] > p["R"] and p["W"] == 0, lambda p: p["G"] == 1)),
    "logic-37": ("yes", lambda: order("FGH", lambda p: p["F"] < p["G"] < p["H"], lambda p: p["G"] == 1)),
    "logic-38": ("no", lambda: not order("IJKL", lambda p: p["I"] < p["J"] and p["K"] < p["L"], lambda p: p["I"] == 0)),
    "logic-39": ("Mio", lambda: who("MNOP", lambda p: p["N"] == p["M"] + 1 and p["O"] in (1, 2) and p["P"] == 3, lambda p, x: p[x] == 0) == "M"),
    "logic-40": ("yes", lambda: follows(3, lambda m, k, d: imp(m, k or d) and m and not k, lambda m, k, d: d)),
    "logic-41": ("no", lambda: follows(3, lambda r, b, g: r + b + g == 1 and (not r) + b + (not b) == 1, lambda r, b, g: r and not b)),
    "logic-42": ("yes", lambda: follows(3, lambda a, b, c: a + b + c == 1 and not a and not c, lambda a, b, c: b)),
    "logic-43": ("no", lambda: not follows(3, lambda m, r, s: imp(m and r, s) and m and not r, lambda m, r, s: s)),
    "logic-44": ("yes", lambda: follows(3, lambda a, b, c: (a != b) and (b != c) and a, lambda a, b, c: c)),
    "logic-45": ("yes", lambda: follows(4, lambda d, g, t, o: imp(d, g) and imp(g, t or o) and d and not t, lambda d, g, t, o: o)),
    "logic-46": ("no", lambda: follows(3, lambda v, y, k: imp(k, y), lambda v, y, k: imp(v and not y, not k))),
    "logic-47": ("no", lambda: follows(3, lambda m, s, o: imp(m and s, o) and m and not o, lambda m, s, o: not s)),
    "logic-48": ("yes", lambda: all(q > s for q in range(9) for r in range(9) for s in range(9) if q > r and r == s)),
}
# fmt: on


@pytest.mark.parametrize("row", rows("arithmetic"), ids=lambda r: r["id"])
def test_arithmetic_answers(row):
    assert Fraction(ARITHMETIC[row["id"]]).limit_denominator(10**6) == Fraction(row["answer"])


@pytest.mark.parametrize("row", rows("logic"), ids=lambda r: r["id"])
def test_logic_answers(row):
    answer, holds = LOGIC[row["id"]]
    assert holds()
    assert row["answer"] == answer


@pytest.mark.parametrize("name", ALL)
def test_every_row_is_a_problem_with_all_it_needs(name: str):
    source = open_source(str(SAMPLES / f"{name}.jsonl"), needs=frozenset({"answer", "reference_solution"}))
    assert source.scan().bad == []
    problems = [given.problem for given in source.problems()]
    assert len(problems) == 48
    assert len({r["id"] for r in rows(name)}) == 48
    kinds = Counter(p.answer_kind for p in problems)
    assert kinds == {"arithmetic": {"number": 48}, "choice": {"choice": 48}, "logic": {"boolean": 42, "text": 6}}[name]


def test_letters_and_verdicts_are_balanced():
    assert Counter(r["answer"] for r in rows("choice")) == dict.fromkeys("ABCD", 12)
    verdicts = Counter(r["answer"] for r in rows("logic"))
    assert abs(verdicts["yes"] - verdicts["no"]) <= 4


def test_the_bad_rows_are_bad_where_they_say():
    bad = open_source(str(SAMPLES / "bad_rows.jsonl"), needs=frozenset({"answer"})).scan()
    assert [b.line for b in bad.bad] == [3, 5, 7, 9, 11]
    assert bad.good == 7


def test_examples_are_none_of_the_questions():
    questions = {r["question"] for name in ALL for r in rows(name)}
    for name in ALL:
        examples = rows(f"{name}_examples")
        assert len(examples) == 4
        assert not questions & {e["question"] for e in examples}
