"""Rewards: what counts as right in training is what counted as right when the corpus was made."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from reward_examples import EXAMPLES
from support import ROOT, ask, run, sums

from synth.errors import UserError
from synth.export import export_run
from synth.models import ScriptedModel, World
from synth.rewards import correct, think_format
from synth.verify import verify_answer


def messages(text: Any) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize(
    ("said", "gold", "kind", "choices", "reward"),
    [
        ("2 + 3 = 5.\nThe answer is 5.", "5", "number", [], 1.0),
        ("2 + 3 = 5.\nThe answer is 6.", "5", "number", [], 0.0),
        ("I do not know.", "5", "number", [], 0.0),
        (r"So \boxed{\frac{1}{2}}.", "0.5", "math", [], 1.0),
        ("The answer is blue.", "B", "choice", ["red", "blue"], 1.0),
        ("The answer is A.", "B", "choice", ["red", "blue"], 0.0),
        ("Yes.", "yes", "boolean", [], 1.0),
        ("<think>The answer is 6.</think> The answer is 5.", "5", "number", [], 1.0),
        ("<think>The answer is 5.</think> The answer is 6.", "5", "number", [], 0.0),
        ("of course.</think> The answer is 5.", "5", "number", [], 1.0),  # the template has opened it
        ("<think>The answer is 5. But wait", "5", "number", [], 0.0),
        ("", "5", "number", [], 0.0),
    ],
)
def test_correct(said: str, gold: str, kind: Any, choices: list[str], reward: float):
    columns = {"answer": [gold], "answer_kind": [kind], "choices": [json.dumps(choices)], "prompts": ["?"], "step": 3}
    assert correct([said], **columns) == [reward]
    assert correct(completions=[messages(said)], **columns) == [reward]
    assert correct([messages([{"type": "text", "text": said}])], **columns) == [reward]


@given(st.lists(st.tuples(st.text(), st.integers(0, 99)), max_size=4))
def test_conversational_and_plain_completions_are_worth_the_same_and_one_by_one(said: list[tuple[str, int]]):
    texts, gold = [text for text, _ in said], [str(n) for _, n in said]
    rewards = correct(texts, answer=gold)
    assert correct([messages(t) for t in texts], answer=gold) == rewards
    assert [correct([t], answer=[g])[0] for t, g in zip(texts, gold, strict=True)] == rewards
    assert set(rewards) <= {0.0, 1.0}
    assert think_format(texts) == think_format([messages(t) for t in texts])


def test_a_message_that_only_calls_a_tool_is_worth_nothing():
    assert correct([messages(None), []], answer=["5", "5"]) == [0.0, 0.0]


def test_columns_of_another_length_are_told():
    with pytest.raises(UserError, match="'answer' has 1 values, and there are 2 completions"):
        correct(["5", "5"], answer=["5"])


@pytest.mark.parametrize(
    ("said", "reward"),
    [
        ("<think>\nHm.\n</think>\n\nFive.", 1.0),
        ("<think></think>Five.", 0.0),
        ("<think>Hm.</think>", 0.0),
        ("<think>Hm. <think>Hm.</think> Five.", 0.0),
        ("<think>Hm.</think> Five.</think>", 0.0),
        ("Five. <think>Hm.</think> Five.", 0.0),
        ("Five.", 0.0),
    ],
)
def test_think_format(said: str, reward: float):
    assert think_format([said], answer=["5"]) == [reward]


def test_rewards_are_what_the_run_found(tmp_path: Path):
    """The rows of `grpo` and the replies of the ledger: a reply that verified is worth 1, every other 0."""
    model = ScriptedModel(World(solve_rate=0.5, malformed_rate=0.1))
    asyncio.run(run("distil/fine-tune-cot", sums(tmp_path / "in.jsonl", 20), tmp_path / "run", model))
    lines = export_run(tmp_path / "run", "grpo", tmp_path / "out").path.read_text().splitlines()
    columns = {row["problem_id"]: row for row in map(json.loads, lines)}
    replies = ask(
        tmp_path / "run",
        "SELECT r.problem, c.reply, s.label FROM rationales r JOIN calls c ON c.id = r.call JOIN scores s ON s.target = r.id "
        "WHERE s.name = 'correct'",
    )
    assert {label for _, _, label in replies} >= {"right", "wrong"}
    names = ("answer", "answer_kind", "choices")
    got = correct([said for _, said, _ in replies], **{n: [columns[p][n] for p, _, _ in replies] for n in names})
    assert got == [float(label == "right") for _, _, label in replies]


@pytest.mark.data
def test_worked_solutions_earn_what_their_verification_says(data: Path):
    rows = [json.loads(line) for line in (data / "math500.jsonl").read_text().splitlines()[:60]]
    got = correct([messages(r["solution"]) for r in rows], answer=[r["answer"] for r in rows])
    assert got == [float(verify_answer(r["solution"], r["answer"]).label == "right") for r in rows]
    assert sum(got) >= 57


def test_what_the_page_on_rewards_shows(monkeypatch: pytest.MonkeyPatch):
    import synth.rewards.registry as module

    monkeypatch.setattr(module, "_OURS", dict(module.our_rewards()))
    page = (ROOT / "docs" / "rlvr.md").read_text().partition("\n## Rewards")[2].partition("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile("from __future__ import annotations\n" + block, "docs/rlvr.md", "exec"), {"__name__": "page"})
    assert all(f"`{name}`" in page for name in EXAMPLES)
