"""rlvr/raif (arXiv:2506.01413): composed constraints, the reward of the work, and the gate for thoughts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from methods import near, preset
from support import ask, run, write_rows

from synth.constraints import conflicts, satisfying_text
from synth.export import export_run
from synth.models import Completion, ScriptedModel
from synth.records import Constraint
from synth.rewards import by_column
from synth.rewards import constraints as reward

FOUR = [
    "punctuation:no_comma",
    "punctuation:no_exclamation",
    "detectable_format:title",
    "detectable_content:postscript",
]
PLAIN = {"kinds": FOUR, "composition": ["and"], "soft": 0, "count": 4}


def _rows(path: Path, n: int) -> Path:
    return write_rows(path, [{"question": f"Write a note about thing number {i} of the {i * i}."} for i in range(n)])


def text_with(met: set[str]) -> str:
    """A text that complies with these of the four constraints, and with none of the others."""
    title = "<<Joy>>" if FOUR[2] in met else "Joy"
    postscript = "\n\nP.S. And P.P.S more" if FOUR[3] in met else ""
    return f"{title} and so on{'' if FOUR[0] in met else ', well'}{'' if FOUR[1] in met else '!'}{postscript}"


def follower(with_thought: float, without: float):
    """A policy that complies with each constraint by itself at known rates."""

    def model(request: Any, rng: Any) -> Any:
        rate = without if request.step == "direct" else with_thought
        text = text_with({id_ for id_ in FOUR if rng.random() < rate})
        if request.step == "direct":
            return text
        return Completion(
            text=text, finish="stop", thought=f"Hm, {rng.random()}!", thought_kind="raw", thought_from="tags"
        )

    return ScriptedModel(model)


async def _run(tmp_path: Path, n: int, model: Any, **override: Any) -> Path:
    made = preset(tmp_path / "p.yaml", "rlvr/raif", instructions=PLAIN, deduplicate=None, **override)
    await run(made, _rows(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    return tmp_path / "run"


async def test_the_table_of_rewards(tmp_path: Path):
    """Of four constraints none is -2, one .25, two .5, three .75 and all 2; the reward of trainers says the same."""
    folder = await _run(tmp_path, 60, follower(0.6, 0.6), reasoned={"samples": 4})
    found = ask(folder, """SELECT m.value, s.value, r.response, p.constraints FROM scores s JOIN scores m ON m.target = s.target AND m.name = 'met'
        JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem WHERE s.name = 'reward'""")  # fmt: skip
    assert {(met, value) for met, value, *_ in found} == {(0, -2), (1, 0.25), (2, 0.5), (3, 0.75), (4, 2)}
    responses = [f"<think>a</think>{response}" for _, _, response, _ in found]
    assert reward(responses, constraints=[given for *_, given in found], table=True) == [
        value for _, value, *_ in found
    ]


async def test_the_gate_keeps_what_the_arithmetic_says(tmp_path: Path):
    """With and without a thought the numbers are binomial: a reply passes where the first is at least the second."""
    n, samples, p1, p0 = 150, 4, 0.7, 0.5
    folder = await _run(tmp_path, n, follower(p1, p0), reasoned={"samples": samples})

    def of(k: int, p: float) -> float:
        return math.comb(4, k) * p**k * (1 - p) ** (4 - k)

    expected = sum(of(a, p1) * of(b, p0) for a in range(5) for b in range(a + 1))
    kept, total = ask(folder, "SELECT sum(value), count(*) FROM scores WHERE name = 'superior'")[0]
    assert total == n * samples
    # Replies to one instruction share the answer that they are compared with.
    assert near(kept / total, expected, n)
    positive = ask(
        folder,
        "SELECT count(*) FROM kept_rationales r JOIN scores s ON s.target = r.id AND s.name = 'reward' WHERE s.value <= 0",
    )
    assert positive == [(0,)]
    assert ask(folder, "SELECT count(DISTINCT step) FROM kept_rationales") == [(1,)]


async def test_without_an_answer_to_compare_with_every_thought_passes(tmp_path: Path):
    """An answer that did not come complies with nothing; a reply without a thought is worth -2 and is not kept."""

    def model(request: Any, rng: Any) -> Any:
        if request.step == "direct":
            return Completion(text="", finish="stop")
        thinks = rng.random() < 0.5
        return Completion(text=text_with(set(FOUR[:1])) + str(rng.random()), finish="stop", thought="a" if thinks else None,
                          thought_kind="raw" if thinks else None, thought_from="tags" if thinks else None)  # fmt: skip

    folder = await _run(tmp_path, 10, ScriptedModel(model))
    assert ask(folder, "SELECT DISTINCT value FROM scores WHERE name = 'superior'") == [(1,)]
    query = "SELECT DISTINCT thought IS NULL, s.value FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'reward' ORDER BY 1"
    assert ask(folder, query) == [(False, 0.25), (True, -2.0)]
    assert ask(folder, "SELECT count(*) FROM kept_rationales WHERE thought IS NULL") == [(0,)]


async def test_the_judge_decides_the_soft_constraint(tmp_path: Path):
    """Its yes counts as one constraint more. It is asked once about each text: the direct reply is that of the first sample."""

    def judge(request: Any, rng: Any) -> str:
        return "yes" if request.task.subject.sample % 2 == 0 else "no"

    def reply(request: Any, rng: Any) -> Any:
        text = f"{text_with(set(FOUR))} {request.sample}"
        if request.step == "direct":
            return text
        return Completion(text=text, finish="stop", thought="Hm.", thought_kind="raw", thought_from="tags")

    policy = ScriptedModel(reply)
    made = preset(
        tmp_path / "p.yaml", "rlvr/raif", instructions={**PLAIN, "soft": 4}, deduplicate=None, reasoned={"samples": 2}
    )
    await run(
        made,
        _rows(tmp_path / "in.jsonl", 6),
        tmp_path / "run",
        {"policy": [policy], "judge": [ScriptedModel(judge, name="judge")]},
    )
    found = ask(tmp_path / "run", """SELECT r.sample, m.value, s.value FROM scores s JOIN scores m ON m.target = s.target AND m.name = 'met'
        JOIN rationales r ON r.id = s.target WHERE s.name = 'reward'""")  # fmt: skip
    assert {(sample, met, value) for sample, met, value in found} == {(0, 4, 2), (1, 3, 0.75)}
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'judged'") == [(12,)]


async def test_every_composed_instruction_can_be_satisfied(tmp_path: Path):
    """As the pipeline composes them, of forty instructions: no conflict, a text for each, and the question has the words."""
    model = ScriptedModel(lambda request, rng: "x")
    await run(
        "rlvr/raif",
        _rows(tmp_path / "in.jsonl", 40),
        tmp_path / "run",
        {"policy": [model], "judge": [ScriptedModel(lambda r, g: "no", name="judge")]},
    )
    found = ask(tmp_path / "run", "SELECT constraints, question, reward FROM problems WHERE parent IS NOT NULL")
    assert len(found) == 40
    ids = set()
    for given, question, named in found:
        constraints = [Constraint.model_validate(one) for one in json.loads(given)]
        assert conflicts(constraints) == []
        assert satisfying_text(constraints)
        assert json.loads(named) == {"name": "constraints", "args": {"table": True, "think": True}}
        assert len(question.splitlines()) > len(constraints)
        ids |= {one.id for one in constraints}
    assert {"combination:chain", "combination:selection", "soft:judged"} <= ids


async def test_exported_prompts_bring_their_constraints(tmp_path: Path):
    """`--to grpo` without gold answers: what the column `reward` names rewards completions as the run did, with nothing else given."""
    folder = await _run(tmp_path, 8, follower(0.6, 0.6), reasoned={"samples": 2})
    export_run(folder, "grpo", tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    mine = [row for row in rows if row["reward"] == "synth.rewards.constraints"]
    assert len(mine) == 8
    scored = ask(
        folder,
        "SELECT r.problem, r.response, s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'reward'",
    )
    by_id = {row["problem_id"]: row for row in mine}
    columns = {
        name: [by_id[problem][name] for problem, *_ in scored] for name in ("reward", "reward_args", "problem_id")
    }
    assert by_column([f"<think>a</think>{said}" for _, said, _ in scored], **columns) == [value for *_, value in scored]
