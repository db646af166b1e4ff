"""`grpo` rows: whose reward, with which arguments, in which stage; and the same rows as other trainers read them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support import stored

from synth.errors import UserError
from synth.export import ExportOptions, export_run
from synth.records import Constraint, Problem, Reward
from synth.rewards import by_column
from synth.rewards.columns import reward_of_row
from synth.rewards.openrlhf import reward_func
from synth.rewards.verl import compute_score, compute_scores

BEGUN = "First, 2 + 3 = 5.\n"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Problems of several kinds: with and without an answer, with a reward of their own, in stages, begun."""
    made = [
        Problem.root(question="What is 2 + 3?", answer="5", answer_kind="number", stage=0),
        Problem.root(question="Which?", choices=("red", "blue"), answer="B", answer_kind="choice", stage=1),
        Problem.root(question="What is 2 + 3 + 1?", answer="6", answer_kind="number", stage=1, begun=BEGUN),
        Problem.root(question="Short?", answer="5", reward=Reward(name="length_band", args={"high": 8})),
        Problem.root(question="What do most say?", answer_kind="number"),
        Problem.root(question="Think.", reward=Reward(name="think_format")),
        Problem.root(question="Vote.", answer="5", answer_kind="number", reward=Reward(name="majority")),
        Problem.root(question="Compare.", reward=Reward(name="correct")),
        Problem.root(
            question="No commas.",
            constraints=(Constraint(id="punctuation:no_comma"),),
            reward=Reward(name="constraints"),
        ),
    ]
    return stored(tmp_path_factory.mktemp("mixed") / "run", *made)


def exported(run: Path, tmp_path: Path, **options: Any) -> tuple[dict[str, dict[str, Any]], Any]:
    """The rows by what their question begins with, and what the export says."""
    made = export_run(run, "grpo", tmp_path / "out", ExportOptions(**options))
    lines = [json.loads(line) for path in made.files for line in path.read_text().splitlines()]
    return {_asked(row): row for row in lines}, made


def _asked(row: dict[str, Any]) -> str:
    said = row.get("prompt") or row.get("messages") or row["input"]
    text = said if isinstance(said, str) else next(m["content"] for m in said if m["role"] == "user")
    return text.split("\n")[0]


def test_each_problem_has_its_reward_with_arguments_and_stage(mixed: Path, tmp_path: Path):
    rows, made = exported(mixed, tmp_path)
    assert {
        asked: (row["reward"].rpartition(".")[2], row["reward_args"], row["stage"]) for asked, row in rows.items()
    } == {
        "What is 2 + 3?": ("correct", "{}", 0),
        "Which?": ("correct", "{}", 1),
        "What is 2 + 3 + 1?": ("correct", "{}", 1),
        "Short?": ("length_band", '{"high":8}', -1),
        "Think.": ("think_format", "{}", -1),
        "Vote.": ("majority", "{}", -1),
        # What a reward reads of a problem and no column has stands among its arguments.
        "No commas.": ("constraints", '{"constraints":[{"id":"punctuation:no_comma","args":{},"on":"response"}]}', -1),
    }
    assert all(row["solution"] == row["answer"] for row in rows.values())
    assert any("its reward correct reads its answer, and it has none" in line for line in made.left_out)


def test_one_function_rewards_them_all(mixed: Path, tmp_path: Path):
    rows, _ = exported(mixed, tmp_path)
    said = {
        "What is 2 + 3?": "The answer is 5.",
        "Which?": "The answer is A.",
        "What is 2 + 3 + 1?": "Then 5 + 1 = 6.\nThe answer is 6.",
        "Short?": "The answer is 5.",
        "Think.": "<think>Hm.</think> Done.",
        "Vote.": "The answer is 4.",
        "No commas.": "Well, no.",
    }
    columns = {name: [rows[asked][name] for asked in said] for name in rows["Which?"]}
    assert by_column(list(said.values()), **columns) == [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def test_label_free_rows(mixed: Path, tmp_path: Path):
    """A problem without an answer has a row only if asked for; it is rewarded by the answers of its group."""
    rows, _ = exported(mixed, tmp_path, label_free=True)
    row = rows["What do most say?"]
    assert (row["answer"], row["answer_kind"], row["reward"]) == ("", "number", "synth.rewards.majority_share")
    columns = {name: [value] * 4 for name, value in row.items()}
    said = ["The answer is 5."] * 3 + ["The answer is 6."]
    assert by_column(said, **columns) == [0.75, 0.75, 0.75, 0.25]


def test_another_label_free_reward_is_of_all_that_name_none(mixed: Path, tmp_path: Path):
    rows, _ = exported(mixed, tmp_path, label_free=True, reward="majority")
    assert {rows[asked]["reward"] for asked in ("What do most say?", "Which?")} == {"synth.rewards.majority"}


def test_another_reward_for_those_that_name_none(mixed: Path, tmp_path: Path):
    rows, _ = exported(mixed, tmp_path, reward="length_band", reward_args={"high": 3})
    assert (rows["Which?"]["reward_args"], rows["Short?"]["reward_args"]) == ('{"high":3}', '{"high":8}')
    for options, said in (
        ({"reward": "corect"}, "there is no reward 'corect'"),
        ({"reward": "length_band"}, "high: Field required"),
        ({"reward": "correct", "reward_args": {"high": 3}}, "its options: none"),
    ):
        with pytest.raises(UserError, match=said):
            exported(mixed, tmp_path, **options)
    wrong = Problem.root(question="Short?", answer="5", reward=Reward(name="length_band", args={"highest": 8}))
    with pytest.raises(UserError, match=f"the reward of {wrong.id}: the reward length_band: high: Field required"):
        exported(stored(tmp_path / "wrong", wrong), tmp_path / "other")


def test_a_file_for_each_stage(mixed: Path, tmp_path: Path):
    _, made = exported(mixed, tmp_path, by_stage=True)
    sizes = {path.name: len(path.read_text().splitlines()) for path in made.files}
    assert sizes == {"grpo.stage0.jsonl": 1, "grpo.stage1.jsonl": 2, "grpo.unstaged.jsonl": 4}
    # The same export without stages leaves none of these behind.
    _, made = exported(mixed, tmp_path)
    assert [path.name for path in (tmp_path / "out").glob("*.jsonl")] == ["grpo.jsonl"]


def test_where_a_beginning_stands(mixed: Path, tmp_path: Path):
    rows, _ = exported(mixed, tmp_path)
    row = rows["What is 2 + 3 + 1?"]
    assert row["begun"] == BEGUN
    (asked,) = row["prompt"]
    assert asked["content"].startswith(f"What is 2 + 3 + 1?\n\nThe solution so far:\n{BEGUN}")
    rows, _ = exported(mixed, tmp_path, layout="plain", begun="prefill")
    assert rows["What is 2 + 3 + 1?"]["prompt"] == f"What is 2 + 3 + 1?\n\n{BEGUN}"
    with pytest.raises(UserError, match="close a turn of the assistant"):
        exported(mixed, tmp_path, begun="prefill")


def test_verl_reads_the_answer_and_what_else_the_reward_needs(mixed: Path, tmp_path: Path):
    """The keys of its documentation; `compute_score` is called as its reward managers do."""
    rows, _ = exported(mixed, tmp_path, trainer="verl", file_format="jsonl")
    row = rows["Which?"]
    assert set(row) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    assert (row["data_source"], row["ability"]) == ("synth/correct", "choice")
    assert row["reward_model"] == {"style": "rule", "ground_truth": "B"}
    assert row["extra_info"]["index"] == row["extra_info"]["problem_id"]

    def score(said: str, row: dict[str, Any]) -> float:
        info = {**row["extra_info"], "num_turns": None, "rollout_reward_scores": {}}
        truth = row["reward_model"]["ground_truth"]
        return compute_score(data_source=row["data_source"], solution_str=said, ground_truth=truth, extra_info=info)

    assert (score("The answer is B.", row), score("The answer is A.", row)) == (1.0, 0.0)
    assert score("The answer is 5, I am sure of it, it is five.", rows["Short?"]) < 1
    # It knows no None.
    assert score("x", {**row, "reward_model": {"style": "rule", "ground_truth": ""}}) == 0.0
    vote = rows["Vote."]
    infos = [vote["extra_info"]] * 3
    said = ["The answer is 4.", "The answer is 4.", "The answer is 5."]
    assert compute_scores(["s"] * 3, said, ["5"] * 3, infos) == [1.0, 1.0, 0.0]


def test_nemo_rl_has_the_gold_answer_as_the_turn_of_the_assistant(mixed: Path, tmp_path: Path):
    rows, made = exported(mixed, tmp_path, trainer="nemo-rl")
    assert [m["role"] for m in rows["Which?"]["messages"]] == ["user", "assistant"]
    assert (rows["Which?"]["messages"][1]["content"], rows["Which?"]["task_name"]) == ("B", "choice")
    assert "Think." not in rows
    assert any("gold answer in every row" in line for line in made.left_out)


@pytest.mark.parametrize("layout", ["conversational", "plain"])
def test_openrlhf_has_what_the_reward_reads_in_the_label(mixed: Path, tmp_path: Path, layout: Any):
    rows, made = exported(mixed, tmp_path, trainer="openrlhf", layout=layout)
    row = rows["Which?"]
    assert isinstance(row["input"], str) == (layout == "plain")
    prompt = "<|user|>Which?<|assistant|>"
    found = reward_func([f"{prompt}The answer is B.", f"{prompt}The answer is A."], [prompt] * 2, [row["label"]] * 2)
    assert found["rewards"] == found["scores"] == [1.0, 0.0]
    assert any("majority compares the completions of a problem" in line for line in made.left_out)
    with pytest.raises(UserError, match="not a JSON object"):
        reward_func(["5"], [""], ["5"])


def test_one_run_gives_the_same_problems_to_every_trainer(mixed: Path, tmp_path: Path):
    ids = {}
    for trainer in ("trl", "axolotl", "verl", "openrlhf", "verifiers", "nemo-rl"):
        rows, _ = exported(mixed, tmp_path / trainer, trainer=trainer)
        ids[trainer] = {row.get("problem_id") or row["extra_info"]["problem_id"] for row in rows.values()}
    assert ids["trl"] == ids["axolotl"] == ids["verl"]
    assert len(ids["trl"] - ids["openrlhf"]) == 1  # the majority of one completion says nothing
    assert ids["openrlhf"] == ids["verifiers"]
    assert ids["trl"] > ids["nemo-rl"]


def test_a_package_for_verifiers(mixed: Path, tmp_path: Path):
    _, made = exported(mixed, tmp_path, trainer="verifiers", environment="My Problems")
    out = tmp_path / "out"
    assert {path.relative_to(out).as_posix() for path in made.beside} == {
        "pyproject.toml",
        "my_problems/__init__.py",
        "my_problems/taskset.py",
        "my_problems/README.md",
    }
    project = tomllib.loads((out / "pyproject.toml").read_text())
    assert project["project"]["name"] == "my-problems"
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"grpo.jsonl": "my_problems/grpo.jsonl"}
    for path in (out / "my_problems").glob("*.py"):
        compile(path.read_text(), str(path), "exec")
    row = json.loads((out / "grpo.jsonl").read_text().splitlines()[0])
    assert reward_of_row("The answer is 17.", row) == 0.0
    for name in ("", "1 2", "é"):
        with pytest.raises(UserError, match="no package can have this name"):
            exported(mixed, tmp_path, trainer="verifiers", environment=name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trainer": "verl", "layout": "plain"}, "verl takes conversations only"),
        ({"trainer": "nemo-rl", "label_free": True}, "gold answer in every row"),
        ({"environment": "x"}, "--environment names a package for verifiers"),
        ({"trainer": "verifiers", "file_format": "parquet"}, "reads JSONL"),
    ],
)
def test_options_that_exclude_each_other(mixed: Path, tmp_path: Path, options: dict[str, Any], said: str):
    with pytest.raises(UserError, match=said):
        exported(mixed, tmp_path, **options)


def test_other_formats_are_not_for_these_trainers(mixed: Path, tmp_path: Path):
    with pytest.raises(UserError, match="verl cannot be given sft: its rows are made of grpo alone"):
        export_run(mixed, "sft", tmp_path / "out", ExportOptions(trainer="verl"))
