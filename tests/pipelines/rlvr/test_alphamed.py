"""rlvr/alphamed (arXiv:2505.17952): levels of difficulty, and a reward by rule."""

from __future__ import annotations

import json
import random
from math import comb
from pathlib import Path

import pytest
from methods import choices, near, preset
from support import ask, run, yaml_file

import synth as package
from synth.export import export_run
from synth.models import ScriptedModel, World
from synth.rewards import correct

LEVELS = "SELECT label, value FROM scores WHERE name = 'pass_rate'"


@pytest.mark.parametrize("p", [0.5, 0.8])
async def test_a_level_has_the_share_of_questions_that_a_binomial_gives(tmp_path: Path, p: float):
    """P(L1) = p^5, P(L6) = (1 - p)^5, and the four levels between by the same rule."""
    n = 400
    made = preset(tmp_path / "p.yaml", "rlvr/alphamed", mixed=None, near_duplicates=None)
    world = ScriptedModel(World(solve_rate=p, lucky_rate=0))
    await run(made, choices(tmp_path / "in.jsonl", n), tmp_path / "run", world)
    found = ask(tmp_path / "run", LEVELS)
    assert len(found) == n
    for label, pass_rate in found:
        assert label == f"L{6 - round(5 * pass_rate)}"
    for level in range(1, 7):
        right = 6 - level
        expected = comb(5, right) * p**right * (1 - p) ** (5 - right)
        assert near(sum(label == f"L{level}" for label, _ in found) / n, expected, n), level
    assert near(sum(rate for *_, rate in found) / n, p, 5 * n)


async def test_the_mix_has_as_many_of_each_level(tmp_path: Path):
    made = preset(tmp_path / "p.yaml", "rlvr/alphamed", near_duplicates=None)
    world = ScriptedModel(World(solve_rate=0.5, lucky_rate=0))
    await run(made, choices(tmp_path / "in.jsonl", 200), tmp_path / "run", world)
    of_all, kept = (
        dict(
            ask(
                tmp_path / "run",
                f"SELECT s.label, count(*) FROM {table} p JOIN scores s ON s.target = p.id AND s.name = 'pass_rate' GROUP BY 1",
            )
        )
        for table in ("problems", "kept_problems")
    )
    assert set(of_all) == {f"L{i}" for i in range(1, 7)}
    assert kept == dict.fromkeys(of_all, min(of_all.values()))


async def test_a_data_set_has_at_most_its_share(tmp_path: Path):
    made = preset(
        tmp_path / "p.yaml", "rlvr/alphamed", mixed=None, near_duplicates=None, limit_per_group={"at_most": 7}
    )
    await run(made, choices(tmp_path / "in.jsonl", 20), tmp_path / "run", ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_problems") == [(7,)]


async def test_a_row_for_training_has_the_question_its_answer_and_no_rationale(tmp_path: Path):
    made = preset(tmp_path / "p.yaml", "rlvr/alphamed", mixed=None, near_duplicates=None)
    await run(made, choices(tmp_path / "in.jsonl", 10), tmp_path / "run", ScriptedModel(World(solve_rate=0.5)))
    lines = export_run(tmp_path / "run", "grpo", tmp_path / "out").path.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 10
    assert {(row["tried"], row["reward"]) for row in rows} == {(5, "synth.rewards.correct")}
    assert all("We know that" not in json.dumps(row) for row in rows)
    levels = dict(ask(tmp_path / "run", "SELECT target, label FROM scores WHERE name = 'pass_rate'"))
    assert all(levels[row["problem_id"]] == f"L{6 - row['right']}" for row in rows)


@pytest.mark.parametrize(
    ("said", "reward"),
    [
        ("The answer is B.", 1.0),
        ("The answer is (B).", 1.0),
        ("Answer: B. a calm sea", 1.0),
        (r"So it is \boxed{B}.", 1.0),
        ("The answer is a calm sea.", 1.0),
        ("The answer is C.", 0.0),
        ("The answer is B or C.", 0.0),
        ("A sailor knows this.", 0.0),  # an article, not a letter
    ],
)
def test_the_reward_reads_a_letter_in_the_ways_in_which_it_is_written(said: str, reward: float):
    options = ["a red sky", "a calm sea", "a loud gull", "a full moon"]
    assert correct([said], answer=["B"], answer_kind=["choice"], choices=[json.dumps(options)]) == [reward]


def test_options_in_another_order_change_no_reward():
    """Shuffled options, with the letters of the gold answer and of the replies changed accordingly."""
    rng = random.Random(0)
    options, letters = ["a red sky", "a calm sea", "a loud gull", "a full moon"], "ABCD"

    def reward(listed: list[str], gold: int, said: int) -> float:
        text = f"The answer is {letters[said]}."
        return correct([text], answer=[letters[gold]], answer_kind=["choice"], choices=[json.dumps(listed)])[0]

    before, after = [], []
    for _ in range(50):
        gold, said, order = rng.randrange(4), rng.randrange(4), rng.sample(range(4), 4)
        before.append(reward(options, gold, said))
        after.append(reward([options[i] for i in order], order.index(gold), order.index(said)))
    assert before == after
    assert 0 < sum(before) < 50


@pytest.mark.data
def test_nine_released_models_fill_the_levels(data: Path, tmp_path: Path):
    """Their answers instead of samples: no model is asked; a level is then a ninth to the nearest fifth."""
    made = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/replay\nextends: rlvr/alphamed\nimports: [rationale, score.correct]\n"
        "override: {try: null, verify_answer: null, right: {of: null}}\n",
    )
    package.run(
        str(made), data / "mmlu_pro_outputs.jsonl", tmp_path / "run", mapping="solutions/mmlu-pro", skip_invalid=True
    )
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(0,)]
    found = ask(tmp_path / "run", LEVELS)
    assert {label for label, _ in found} == {f"L{i}" for i in range(1, 7)}
    assert all(label == f"L{6 - round(5 * rate)}" for label, rate in found)
    kept = "SELECT count(*) FROM kept_problems p JOIN scores s ON s.target = p.id AND s.name = 'pass_rate' GROUP BY s.label"
    assert len(set(ask(tmp_path / "run", kept))) == 1
