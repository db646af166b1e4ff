"""distil/warmup (arXiv:2505.13718): puzzles with one solution, and a verdict that is that of the truth table."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ROOT, ask, run, write_rows

from synth.models import ScriptedModel, World

PUZZLES = [json.loads(line) for line in (ROOT / "samples" / "knights.jsonl").read_text().splitlines()]
KINDS = {True: "knight", False: "knave"}
_SAYS = re.compile(r'(\w+) says: "(.*?)\."')
_FORMS: list[tuple[str, Callable[[dict[str, bool], str, tuple[str, ...]], bool]]] = [
    (r"(\w+) and I are of the same kind", lambda w, me, m: w[m[0]] == w[me]),
    (r"(\w+) and (\w+) are of different kinds", lambda w, me, m: w[m[0]] != w[m[1]]),
    (r"[Aa]t least one of (\w+) and (\w+) is a (\w+)", lambda w, me, m: m[2] in {KINDS[w[m[0]]], KINDS[w[m[1]]]}),
    (r"(\w+) and (\w+) are both (\w+)s", lambda w, me, m: KINDS[w[m[0]]] == KINDS[w[m[1]]] == m[2]),
    (r"(\w+) is a (\w+) or (\w+) is a (\w+)", lambda w, me, m: KINDS[w[m[0]]] == m[1] or KINDS[w[m[2]]] == m[3]),
    (r"If (\w+) is a (\w+), then (\w+) is a (\w+)", lambda w, me, m: KINDS[w[m[0]]] != m[1] or KINDS[w[m[2]]] == m[3]),
    (r"(\w+) is a (\w+)", lambda w, me, m: KINDS[w[m[0]]] == m[1]),
]


def _worlds(names: list[str]) -> list[dict[str, bool]]:
    return [dict(zip(names, kinds, strict=True)) for kinds in product([True, False], repeat=len(names))]


def _possible(puzzle: dict[str, Any], world: dict[str, bool]) -> bool:
    """Whether in this world all knights speak the truth and all knaves do not."""
    said = _SAYS.findall(puzzle["question"])
    assert [name for name, _ in said] == puzzle["names"]
    for name, statement in said:
        holds = next(test(world, name, m.groups()) for form, test in _FORMS if (m := re.fullmatch(form, statement)))
        if holds != world[name]:
            return False
    return True


def _stated(world: dict[str, bool]) -> str:
    """The assignment with the last person first."""
    return " and ".join(f"{name} is a {KINDS[kind]}" for name, kind in reversed(world.items()))


@pytest.mark.parametrize("puzzle", PUZZLES, ids=lambda p: p["id"])
def test_a_puzzle_of_the_sample_has_one_solution(puzzle: dict[str, Any]):
    """All 2^n assignments are tried; one is possible, and it is the answer."""
    (world,) = [w for w in _worlds(puzzle["names"]) if _possible(puzzle, w)]
    assert puzzle["answer"] == ", ".join(f"{name} is a {KINDS[kind]}" for name, kind in world.items())


async def _verdicts(tmp_path: Path, rows: list[dict[str, Any]], people: int) -> list[tuple[str, str, float]]:
    """Of puzzles for so many people: question, stated assignment and verdict, for every assignment that there is."""
    names = {r["question"]: r["names"] for r in rows}

    def teacher(request, rng):
        return f"So.\nThe answer is {_stated(_worlds(names[request.task.problem.question])[request.sample])}."

    made = preset(tmp_path / "p.yaml", "distil/warmup", trace={"samples": 2**people})
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(teacher))
    return ask(
        tmp_path / "run",
        "SELECT p.question, r.answer, s.value FROM rationales r JOIN problems p ON p.id = r.problem "
        "JOIN scores s ON s.target = r.id AND s.name = 'correct'",
    )


@pytest.mark.parametrize("people", [3, 4])
async def test_the_verdict_is_that_of_the_truth_table(tmp_path: Path, people: int):
    """For each of the 2^n assignments, stated from the last person to the first."""
    rows = [p for p in PUZZLES if len(p["names"]) == people]
    by_question = {p["question"]: p for p in rows}
    verdicts = await _verdicts(tmp_path, rows, people)
    assert len({(q, a) for q, a, _ in verdicts}) == len(rows) * 2**people
    for question, answer, value in verdicts:
        puzzle = by_question[question]
        (world,) = [w for w in _worlds(puzzle["names"]) if _stated(w) == answer]
        assert bool(value) == _possible(puzzle, world)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Cem is a knight, Uma is a knight, Ines is a knave", 1),
        ("Ines is a knave, Cem is a knight, and Uma is a knight", 1),
        ("Cem is a knight, Uma is a knight", 0),  # somebody is missing
        ("Cem is a knave, Uma is a knight, Ines is a knight", 0),  # the same words, swapped
        ("Cem is a knight, Uma is a knight, Ines is a knave, Ines is a knight", 0),  # both
    ],
)
async def test_all_claims_and_no_others_are_stated(tmp_path: Path, answer: str, right: int):
    model = ScriptedModel(lambda request, rng: f"So.\nThe answer is {answer}.")
    made = preset(tmp_path / "p.yaml", "distil/warmup", trace={"samples": 1})
    await run(made, write_rows(tmp_path / "in.jsonl", PUZZLES[:1]), tmp_path / "run", model)
    assert ask(tmp_path / "run", "SELECT value FROM scores WHERE name = 'correct'") == [(right,)]


async def test_right_traces_are_kept_and_renamed_puzzles_count_once(tmp_path: Path):
    """4p traces a puzzle; of a puzzle and the same with other names one is kept, and both of two that differ."""
    renamed = []
    for puzzle in PUZZLES:
        text = json.dumps(puzzle)
        for name in puzzle["names"]:
            text = re.sub(rf"\b{name}\b", f"{name}bert", text)
        renamed.append({**json.loads(text), "id": f"{puzzle['id']}-renamed"})
    p, rows = 0.6, [*PUZZLES, *renamed]
    await run(
        "distil/warmup", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(World(solve_rate=p))
    )
    assert ask(tmp_path / "run", "SELECT count(*) FROM problems") == [(48,)]
    out = ask(tmp_path / "run", "SELECT count(*) FROM rejections WHERE step = 'renamed_puzzles'")
    assert out == [(24,)]
    right = ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'correct' AND value = 1")[0][0]
    assert near(right / (4 * 48), p, 4 * 48)
    kept = ask(tmp_path / "run", "SELECT count(*), count(DISTINCT problem) FROM kept_rationales")[0]
    assert near(kept[0] / (4 * 24), p, 4 * 24)
    assert kept[1] <= 24


def _truth(statement: Any, world: list[bool]) -> bool:
    match statement:
        case ("telling-truth", int(who)):
            return world[who]
        case ("lying", int(who)):
            return not world[who]
        case ("not", inner):
            return not _truth(inner, world)
        case ("and", *parts):
            return all(_truth(part, world) for part in parts)
        case ("or", *parts):
            return any(_truth(part, world) for part in parts)
        case ("->", first, second):
            return not _truth(first, world) or _truth(second, world)
        case ("<=>", first, second):
            return _truth(first, world) == _truth(second, world)
    raise AssertionError(statement)


@pytest.mark.data
async def test_published_puzzles_have_the_verdict_of_their_logic(tmp_path: Path, data: Path):
    """The puzzles of Logic-RL: each has one solution by its logical form, and of all assignments that one is right."""
    puzzles = [json.loads(line) for line in (data / "knights_knaves.jsonl").read_text().splitlines()]
    for puzzle in puzzles:
        said = ast.literal_eval(puzzle["statements"])
        worlds = product([True, False], repeat=len(said))
        fits = [w for w in worlds if all(_truth(s, list(w)) == kind for s, kind in zip(said, w, strict=True))]
        assert fits == [tuple(puzzle["solution"])]
    small = [p for p in puzzles if p["people"] == 3]
    rows = [{"question": p["quiz"], "answer": p["solution_text"], "names": p["names"]} for p in small]
    solutions = {p["quiz"]: dict(zip(p["names"], p["solution"], strict=True)) for p in small}
    verdicts = await _verdicts(tmp_path, rows, 3)
    assert len(verdicts) == 8 * len(small)
    assert all(bool(value) == (answer == _stated(solutions[question])) for question, answer, value in verdicts)
