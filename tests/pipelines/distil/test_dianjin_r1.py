"""distil/dianjin-r1 (arXiv:2504.15716): what is dropped, what is tried again, and two sets that share no problem."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from methods import choices, near, preset
from support import ask, run, synth, write_rows

from synth.models import ScriptedModel, World
from synth.rewards import correct, think_format

RIGHT = 0.4
"""Of an attempt of the reasoner being right and sound."""


def _small(request, rng: random.Random) -> str:
    return "I guess.\nThe answer is E."


def _editor(request, rng: random.Random) -> str:
    if request.step == "clear":
        return json.dumps({"has_one_answer": "yes"})
    number = request.task.problem.question.partition(" case ")[2].partition(",")[0]
    return json.dumps({"possible": "yes", "question": f"What is it in case {number}, with all the stones of one kind?"})


def _reasoner(request, rng: random.Random) -> str:
    """Right and sound; or the right answer for a wrong reason; or a wrong one. Open questions are answered in other words."""
    problem, drawn = request.task.problem, rng.random()
    gold = problem.answer if problem.choices else f"the {problem.answer}"
    if drawn < RIGHT:
        return f"We know that 1 + 1 = 2, {rng.random()}.\nThe answer is {gold}."
    wrong = "A" if problem.answer != "A" else "B"
    return f"We know that 1 + 1 = 3, {rng.random()}.\nThe answer is {gold if drawn < 0.7 else wrong}."


def _judge(request, rng: random.Random) -> str:
    shown = request.messages[-1]["content"]
    right = request.task.problem.answer in request.task.subject.answer.split()[-1]
    return json.dumps(
        {"answer_agrees": "yes" if right else "no", "reasoning_agrees": "no" if "1 + 1 = 3" in shown else "yes"}
    )


def _models(**scripts: Callable) -> dict[str, list[ScriptedModel]]:
    given = {"small": _small, "editor": _editor, "reasoner": _reasoner, "judge": _judge, **scripts}
    return {role: [ScriptedModel(script, name=role)] for role, script in given.items()}


async def test_each_form_is_tried_until_answer_and_reasoning_agree(tmp_path: Path):
    """Of each form 1 - (1 - a)^3 are kept, after (1 - (1 - a)^3) / a attempts; a right answer for a wrong reason is not."""
    n, kept = 150, 1 - (1 - RIGHT) ** 3
    assert round(kept, 4) == 0.784
    await run("distil/dianjin-r1", choices(tmp_path / "in.jsonl", n, 4), tmp_path / "run", _models())
    forms = ask(tmp_path / "run", "SELECT len(choices) > 0, count(*) FROM problems GROUP BY 1 ORDER BY 1")
    assert forms == [(False, n), (True, n)]
    rows = ask(
        tmp_path / "run",
        "SELECT len(p.choices) > 0, r.problem, r.text, r.id IN (SELECT id FROM kept_rationales) FROM rationales r "
        "JOIN problems p ON p.id = r.problem WHERE r.step LIKE 'reason%'",
    )
    for has_choices in (True, False):
        mine = [row for row in rows if row[0] == has_choices]
        good = [row for row in mine if row[3]]
        assert len({problem for _, problem, *_ in good}) == len(good)  # one for each form
        assert near(len(good) / n, kept, n)
        assert near(len(good) / len(mine), RIGHT, len(mine))
        assert not any("1 + 1 = 3" in text for _, _, text, _ in good)
    assert any("1 + 1 = 3" in text for _, _, text, _ in rows)
    # Wrong letters are not compared: the judge is asked of what may be right.
    compared = ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step LIKE 'compare%'")[0][0]
    wrong = ask(
        tmp_path / "run",
        "SELECT count(*) FROM rationales r JOIN problems p ON p.id = r.problem "
        "WHERE r.step LIKE 'reason%' AND len(p.choices) > 0 AND r.answer <> p.answer",
    )[0][0]
    assert compared == len(rows) - wrong


async def test_what_a_small_model_always_solves_is_dropped(tmp_path: Path):
    """p^4 of the problems; and nobody is asked about them any more."""
    n, p = 200, 0.8
    await run(
        "distil/dianjin-r1",
        choices(tmp_path / "in.jsonl", n, 4),
        tmp_path / "run",
        _models(small=World(solve_rate=p, lucky_rate=0)),
    )
    dropped = ask(tmp_path / "run", "SELECT count(*) FROM rejections WHERE step = 'not_trivial'")[0][0]
    assert near(dropped / n, p**4, n)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'clear'") == [(n - dropped,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales WHERE step = 'easy'") == [(0,)]


@pytest.mark.parametrize(
    ("clear", "possible", "question", "forms"),
    [
        ("yes", "yes", "What is it, then?", 2),
        ("yes", "no", None, 1),
        ("yes", "yes", None, 1),
        ("no", "yes", "What?", 0),
    ],
)
async def test_what_the_editor_says_of_a_question(
    tmp_path: Path, clear: str, possible: str, question: str | None, forms: int
):
    def editor(request, rng):
        said = {"has_one_answer": clear} if request.step == "clear" else {"possible": possible, "question": question}
        return json.dumps(said)

    await run("distil/dianjin-r1", choices(tmp_path / "in.jsonl", 1, 4), tmp_path / "run", _models(editor=editor))
    asked = ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM rationales WHERE step LIKE 'reason%'")
    assert asked == [(forms,)]
    if forms == 2:
        (derived,) = ask(tmp_path / "run", "SELECT question, choices, answer FROM problems WHERE step = 'open'")
        assert derived == (question, [], "word0x0")


async def test_the_two_sets_share_no_problem(tmp_path: Path):
    """Nor a form of one."""
    made = preset(
        tmp_path / "p.yaml", "distil/dianjin-r1", split={"shares": {"sft": 0.6, "rl": 0.4}, "threshold": None}
    )
    await run(made, choices(tmp_path / "in.jsonl", 60, 4), tmp_path / "run", _models())
    synth("export", tmp_path / "run", "--to", "sft", "--to", "grpo", "--out", tmp_path / "data", check=0)
    units = {
        name: {json.loads(line)["unit"] for line in (tmp_path / "data" / name).read_text().splitlines()}
        for name in ("sft.sft.jsonl", "grpo.rl.jsonl")
    }
    assert all(len(u) > 10 for u in units.values())
    assert not units["sft.sft.jsonl"] & units["grpo.rl.jsonl"]


@pytest.mark.parametrize(
    ("said", "rewards"),
    [
        ("<think>So.</think>The answer is \\boxed{B}.", (1, 1)),
        ("<think>So.</think>The answer is \\boxed{C}.", (0, 1)),
        ("The answer is \\boxed{B}.", (1, 0)),
        ("<think>So.</think><think>Or.</think>The answer is \\boxed{B}.", (1, 0)),
        ("<think>So.</think>The answer is \\boxed{None of the ABove}.", (0, 1)),  # no A and no B
    ],
)
def test_what_is_rewarded(said: str, rewards: tuple[int, int]):
    """The letter of a box is read as a label, not as the letters that occur in it."""
    asked = {"answer": ["B"], "answer_kind": ["choice"], "choices": [json.dumps(["red", "blue", "green"])]}
    assert (correct([said], **asked)[0], think_format([said])[0]) == rewards


@pytest.mark.data
async def test_published_answers_to_medical_questions(tmp_path: Path, data: Path):
    """ThoughtSource: GPT-3.5 as the small model, GPT-4 as the reasoner. Kept is what the data call wrong of the first and right of the other."""
    replies: dict[str, dict[str, dict]] = defaultdict(dict)
    for row in map(json.loads, (data / "thoughtsource_outputs.jsonl").read_text().splitlines()):
        if row["dataset"] in {"med_qa", "medmc_qa"} and row["model"].startswith("gpt"):
            replies[row["question"]][row["model"]] = row
    assert all(len(by) == 2 for by in replies.values())

    def replay(name: str) -> Callable:
        return lambda request, rng: (
            f"So.\nThe answer is {replies[request.task.problem.question][name]['generated_answer']}"
        )

    def judge(request, rng):
        return json.dumps({"answer_agrees": "yes", "reasoning_agrees": "yes"})

    rows = [
        {"question": q, "choices": by["gpt-4"]["choices"], "answer": by["gpt-4"]["answer"][0]}
        for q, by in replies.items()
    ]
    made = preset(
        tmp_path / "p.yaml", "distil/dianjin-r1",
        easy={"samples": 1}, open={"where": "false"}, long_enough={"keep": "true"},
    )  # fmt: skip
    scripts = _models(small=replay("gpt-3.5-turbo"), reasoner=replay("gpt-4"), judge=judge)
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", scripts)
    right = {q: {name: r["correct_answer"] for name, r in by.items()} for q, by in replies.items()}
    expected = {q for q, by in right.items() if by["gpt-4"] and not by["gpt-3.5-turbo"]}
    kept = ask(tmp_path / "run", "SELECT p.question FROM kept_rationales r JOIN problems p ON p.id = r.problem")
    assert {question for (question,) in kept} == expected
    assert 0 < len(kept) == len(expected) < len(rows)
