"""distil/human-cot-small (arXiv:2507.09850): passes over human solutions, and the choice of a small set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ask, run, write_rows

from synth.models import ScriptedModel, World

ALL = {"hard": {"keep": "true"}, "limit_per_group": None, "select_diverse": None}
"""Overrides that leave no problem out."""


def drafts(path: Path, n: int, topics: int = 0) -> Path:
    """Questions with worked solutions, and a topic each."""
    rows = [
        {
            "question": f"Case {i}: there are {i * 7 + 3} of them, and later {i * 3 + 2} more, named r{i * i}x. How many?",
            "answer": str(i * 10 + 5),
            "reference_solution": f"Add {i * 7 + 3} and {i * 3 + 2}.\nThat is {i * 10 + 5}.",
            **({"topic": f"t{i % topics}"} if topics else {}),
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


async def test_two_passes_keep_a_problem_at_the_square_of_the_rate_of_one(tmp_path: Path):
    """Each pass keeps the answer at a known rate; a problem whose answer changed has nothing kept."""
    n, rate = 300, 0.8
    made = preset(tmp_path / "p.yaml", "distil/human-cot-small", **ALL)
    model = ScriptedModel(World(solve_rate=0.3, revise_rate=rate, lucky_rate=0))
    await run(made, drafts(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    of = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM rationales GROUP BY 1"))
    assert (of["try"], of["draft"], of["expand"]) == (4 * n, n, n)
    assert near(of["structure"] / n, rate, n)  # only what passed the first is edited again
    kept = ask(
        tmp_path / "run",
        """SELECT s.step, e.step, d.step, d.author, d.parent, s.answer = p.answer AND e.answer = p.answer
        FROM kept_rationales s JOIN rationales e ON e.id = s.parent JOIN rationales d ON d.id = e.parent
        JOIN problems p ON p.id = s.problem""",
    )
    assert near(len(kept) / n, rate**2, n)
    assert set(kept) == {("structure", "expand", "draft", "human", None, True)}
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(len(kept),)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_problems") == [(len(kept),)]


async def test_only_problems_that_the_student_seldom_solves_are_edited(tmp_path: Path):
    """P(at most 2 of 4 right) at 0.5 is 11/16; the tries of the student never count as the solution."""
    n = 200
    made = preset(tmp_path / "p.yaml", "distil/human-cot-small", limit_per_group=None, select_diverse=None)
    model = ScriptedModel(World(solve_rate=0.5, revise_rate=1, lucky_rate=0))
    await run(made, drafts(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    rates = ask(
        tmp_path / "run",
        "SELECT s.value, s.target IN (SELECT problem FROM rationales WHERE step = 'expand') FROM scores s WHERE name = 'pass_rate'",
    )
    assert all(edited == (value <= 0.5) for value, edited in rates)
    assert near(sum(edited for _, edited in rates) / n, 11 / 16, n)


async def test_the_set_has_its_size_and_no_topic_above_its_cap_and_is_the_same_again(tmp_path: Path):
    made = preset(tmp_path / "p.yaml", "distil/human-cot-small", hard={"keep": "true"})
    rows = drafts(tmp_path / "in.jsonl", 60, topics=8)
    sets = []
    for name in ("one", "two"):
        await run(made, rows, tmp_path / name, ScriptedModel(World(revise_rate=1)))
        sets.append(
            ask(tmp_path / name, "SELECT question, json_extract_string(meta, '$.topic') FROM kept_problems ORDER BY 1")
        )
    assert sets[0] == sets[1]
    assert len(sets[0]) == 20
    topics = [topic for _, topic in sets[0]]
    assert len(set(topics)) >= 7
    assert max(map(topics.count, topics)) <= 3


async def test_of_planted_clusters_one_problem_each_is_chosen(tmp_path: Path):
    worlds = ["tulips in a garden row", "trains that leave a town", "coins under an old mat", "pages of a long diary"]
    rows: list[dict[str, Any]] = [
        {
            "question": f"{kind}: how many {kind} are there, if {kind} number {i}?",
            "answer": str(i),
            "reference_solution": f"So {i}.",
        }
        for kind in worlds
        for i in range(6)
    ]
    made = preset(tmp_path / "p.yaml", "distil/human-cot-small", hard={"keep": "true"}, select_diverse={"keep": 4})
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(World(revise_rate=1)))
    kept = [question.split(":")[0] for (question,) in ask(tmp_path / "run", "SELECT question FROM kept_problems")]
    assert sorted(kept) == sorted(worlds)


async def test_each_stage_is_measured(tmp_path: Path):
    """Words, and whether it looks back at itself, of the draft and of both passes."""

    def script(request, rng):
        task = request.task
        if task.kind == "solve":
            return "The answer is -1."
        first = task.subject.parent is None
        return (
            "I add them." if first else "I add them. Let me check: it is plausible."
        ) + f"\nThe answer is {task.problem.answer}."

    made = preset(tmp_path / "p.yaml", "distil/human-cot-small", **ALL)
    await run(
        made,
        drafts(tmp_path / "in.jsonl", 5),
        tmp_path / "run",
        ScriptedModel(script, capabilities=frozenset({"chat"})),
    )
    found = ask(
        tmp_path / "run",
        """SELECT r.step, s.name, avg(s.value) FROM scores s JOIN rationales r ON r.id = s.target
        WHERE s.name IN ('self_checks', 'length') AND r.step <> 'try' GROUP BY ALL ORDER BY ALL""",
    )
    checks = {step: value for step, name, value in found if name == "self_checks"}
    assert checks == {"draft": 0, "expand": 0, "structure": 1}
    assert {step for step, name, _ in found if name == "length"} == {"draft", "expand", "structure"}


@pytest.mark.data
async def test_human_solutions_of_gsm8k_become_twenty_rows(data: Path, tmp_path: Path):
    model = ScriptedModel(World(solve_rate=0.4, revise_rate=0.9))
    await run("distil/human-cot-small", data / "gsm8k_train.jsonl", tmp_path / "run", model, limit=80)
    rows = ask(
        tmp_path / "run",
        """SELECT d.text, p.reference_solution, s.answer, p.answer FROM kept_rationales s JOIN rationales e ON e.id = s.parent
        JOIN rationales d ON d.id = e.parent JOIN problems p ON p.id = s.problem""",
    )
    assert len(rows) == 20
    for text, solution, answer, gold in rows:
        assert re.sub(r"\W", "", text)[:20] == re.sub(r"\W", "", solution)[:20]
        assert float(answer.replace(",", "")) == float(gold.replace(",", ""))
