"""rlvr/shop (arXiv:2507.17842): actions with easy and hard fields."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT, ask, run

from synth.models import ScriptedModel, World
from synth.rewards import action
from synth.verify.rouge import rouge_l

NAME = "rlvr/shop"
SAMPLE = ROOT / "samples" / "shop.jsonl"
D = 1000.0


def click(weight: float = D) -> str:
    rule = {"name": {"rouge_l": 0.75, "weight": weight}}
    return json.dumps({"type": "click", "name": "add to cart now", "$compare": rule})


def entry(weight: float = D) -> str:
    rules = {"name": {"rouge_l": 0.75, "weight": 0.1}, "text": {"rouge_l": 0.75, "weight": weight}}
    return json.dumps({"type": "type_and_submit", "name": "search box", "text": "red shoes", "$compare": rules})


END = '{"type": "terminate"}'


def worth(said: str, gold: str, **options) -> float:
    return action([said], answer=[gold], normalised=options.pop("normalised", False), **options)[0]


@pytest.mark.parametrize(
    ("said", "gold", "value"),
    [
        ("I would click.", click(), 0),
        ('{"type": "click", "name"', click(), 0),
        ('{"rationale": "Done.", "action": {"type": "terminate"}}', END, 0.5 + 0.3),
        ('{"type": "click", "name": "add to cart now"}', END, 0.5 / 2),  # one field too many
        (END, click(), 0.5),
        ('{"type": "click"}', click(), 0.5 + 0.3),
        ('{"type": "click", "name": "checkout"}', click(), 0.5 + 0.3 + 0.2),
        ('{"type": "click", "name": "add to cart now"}', click(), 0.5 + 0.3 + 0.2 + D),
        ('{"type": "click", "name": "add to cart"}', click(), 0.5 + 0.3 + 0.2 + D * 6 / 7),
        ('```json\n{"type": "click", "name": ""}\n```', click(), 0.5 + 0.3),
        ('{"type": "type_and_submit", "name": "search box"}', entry(), 0.5 + 0.3 + 0.1 + 0.1),
        ('{"type": "type_and_submit", "name": "search box", "text": "red shoes"}', entry(), 0.5 + 0.3 + 0.2 + 0.1 + D),
        ('{"type": "type_and_submit", "name": "bar", "text": "red shoes"}', entry(), 0.5 + 0.3 + 0.2 + D),
        ('{"type": "type_and_submit", "name": "bar", "text": "blue hat"}', entry(), 0.5 + 0.3 + 0.2),
    ],
)
def test_the_table_of_the_paper(said: str, gold: str, value: float):
    assert worth(said, gold) == pytest.approx(value)


def test_rouge_counts_from_its_threshold_on():
    """2 * 3 / (4 + 4) is the threshold itself; 2 * 14 / (19 + 19) = 0.737 is below it."""
    gold = json.dumps({"type": "click", "name": "b c d e", "$compare": {"name": {"rouge_l": 0.75}}})
    assert rouge_l("b c d f", "b c d e") == 0.75
    assert worth('{"type": "click", "name": "b c d f"}', gold) == pytest.approx(1.0 + 0.75)
    words = [f"w{i}" for i in range(19)]
    gold = json.dumps({"type": "click", "name": " ".join(words), "$compare": {"name": {"rouge_l": 0.75}}})
    below = " ".join([*words[:14], *"bcdef"])
    assert 0.73 < rouge_l(below, " ".join(words)) < 0.74
    assert worth(json.dumps({"type": "click", "name": below}), gold) == pytest.approx(1.0)


@given(st.floats(0.01, 1))
def test_to_end_the_session_always_is_worth_less_than_to_imitate(hard: float):
    """For any share of hard actions from one in a hundred on, with the weights of the paper and with ours."""
    for normalised, weight in ((False, D), (True, 1.0)):
        rewards = {
            policy: hard * worth(said, click(weight), normalised=normalised)
            + (1 - hard) * worth(END, END, normalised=normalised)
            for policy, said in (("end", END), ("imitate", '{"type": "click", "name": "add to cart now"}'))
        }
        assert rewards["end"] < rewards["imitate"]


@given(
    st.sampled_from([click(1), entry(1), END]),
    st.dictionaries(st.sampled_from(["type", "name", "text", "x"]), st.text(max_size=9)),
)
def test_normalised_rewards_are_between_0_and_1(gold: str, said: dict):
    assert 0 <= worth(json.dumps(said), gold, normalised=True) <= 1


async def test_the_reasons_for_right_actions_and_balanced_types(tmp_path: Path):
    """Of a perfect teacher all reasons are right; easy clicks are cut down to the share of the hard types."""
    await run(NAME, SAMPLE, tmp_path / "run", ScriptedModel(World(solve_rate=1, hint_rate=1)))
    scores = ask(tmp_path / "run", "SELECT name, min(value), count(*) FROM scores GROUP BY 1 ORDER BY 1")
    assert scores == [("correct", 1.0, 20), ("grade", 1.0, 20)]
    kept = Counter(t for (t,) in ask(tmp_path / "run", "SELECT meta->>'type' FROM kept_problems"))
    assert kept == {"click": 5, "type_and_submit": 4, "terminate": 4}  # 4 / 0.3 = 13, of which 35, 35 and 30 %
    assert dict(ask(tmp_path / "run", "SELECT meta->>'type', count(*) FROM problems GROUP BY 1")) == {
        "click": 11, "type_and_submit": 5, "terminate": 4,
    }  # fmt: skip


async def test_hints_and_answers_do_not_say_how_they_are_compared(tmp_path: Path):
    await run(NAME, SAMPLE, tmp_path / "run", ScriptedModel(World(hint_rate=1)))
    (calls,) = ask(
        tmp_path / "run",
        "SELECT count(*) FROM calls WHERE messages::VARCHAR LIKE '%$compare%' OR reply LIKE '%$compare%'",
    )
    assert calls == (0,)
