"""The library `verifiers` loads the package that an export writes, and its tasks reward replies as our functions do.

Not part of the ordinary run; the command is in docs/export.md.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import stored

from synth.export import ExportOptions, export_run
from synth.records import Problem, Reward
from synth.rewards.columns import reward_of_row

vf: Any = pytest.importorskip(
    "verifiers.v1", reason="verifiers is not installed: pip install -e '.[trainers]'", exc_type=ImportError
)

pytestmark = pytest.mark.filterwarnings("ignore")

REPLIES = ("The answer is 5.", "The answer is B.", "<think>Five.</think> I am done.", "")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """The package, imported from the folder of the export, and its rows."""
    run = stored(
        tmp_path / "run",
        Problem.root(question="What is 2 + 3?", answer="5", answer_kind="number", stage=0),
        Problem.root(question="Which?", choices=("red", "blue"), answer="B", answer_kind="choice", stage=1),
        Problem.root(question="Short?", answer="5", reward=Reward(name="length_band", args={"high": 3})),
        Problem.root(question="Think.", reward=Reward(name="think_format")),
    )
    options = ExportOptions(trainer="verifiers", environment="synth-tried", system="Reason first.")
    path = export_run(run, "grpo", tmp_path / "out", options).path
    monkeypatch.syspath_prepend(str(tmp_path / "out"))
    yield importlib.import_module("synth_tried"), [json.loads(line) for line in path.read_text().splitlines()]
    for name in [name for name in sys.modules if name.startswith("synth_tried")]:
        del sys.modules[name]


def test_tasks_are_the_rows(package: Any):
    module, rows = package
    environment = module.load_environment()
    tasks = list(environment.taskset)
    assert [task.data.id for task in tasks] == [row["problem_id"] for row in rows]
    assert [task.data.prompt for task in tasks] == [row["prompt"][1]["content"] for row in rows]
    assert {task.data.system_prompt for task in tasks} == {"Reason first."}
    assert [task.data.row["stage"] for task in module.load_environment(stage=1).taskset] == [1]


async def test_a_task_rewards_a_reply_as_its_row_says(package: Any):
    module, rows = package
    found = {}
    for task, row in zip(module.load_environment().taskset, rows, strict=True):
        for said in REPLIES:
            known = vf.TraceTask(type=type(task).__name__, data=task.data, hash=task.hash, key=task.key)
            trace = vf.Trace(task=known, agent=vf.AgentInfo.model_construct(name="agent"))
            trace.root_reply = said
            await task.score(trace)
            assert trace.reward == reward_of_row(said, row)
            found[row["prompt"][1]["content"].split("\n")[0], said] = trace.reward
    assert [found["What is 2 + 3?", said] for said in REPLIES] == [1.0, 0.0, 0.0, 0.0]
    assert [found["Which?", said] for said in REPLIES] == [0.0, 1.0, 0.0, 0.0]
    assert [found["Think.", said] for said in REPLIES] == [0.0, 0.0, 1.0, 0.0]
    assert 0.5 < found["Short?", "The answer is 5."] < 1
