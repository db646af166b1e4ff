"""What steps do with the thought of a reasoning model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import ask, run, sums, yaml_file

from synth.models import Completion, ScriptedModel

THOUGHT = "First I count.\nThen I add."


class Thinker(ScriptedModel):
    """A model whose replies carry a thought."""

    async def complete(self, request: Any) -> Completion:
        """The scripted reply, with a thought beside it."""
        return (await super().complete(request))._replace(thought=THOUGHT, thought_kind="raw")


def brief(_request: Any, _rng: Any) -> str:
    return "The answer is 5."


def full(_request: Any, _rng: Any) -> str:
    return "I have two.\nThree come to it.\nThe answer is 5. Good luck!"


async def made(tmp_path: Path, script: Any, options: str = "", more: str = "") -> list[tuple[Any, ...]]:
    pipeline = yaml_file(tmp_path / "p.yaml", f"pipeline: my/p\nsteps:\n  - {{step: generate{options}}}\n{more}")
    await run(pipeline, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", Thinker(script))
    columns = "thought, response, answer, text, reasoning, steps, segmenter"
    return ask(tmp_path / "run", f"SELECT {columns} FROM kept_rationales")


async def test_both_parts_are_kept(tmp_path: Path):
    """By default thought and response stand in the record as they came; steps are those of the response."""
    ((thought, response, answer, text, reasoning, steps, segmenter),) = await made(tmp_path, full)
    assert (thought, response, answer) == (THOUGHT, full(None, None), "5")
    assert text == "I have two.\nThree come to it.\nGood luck!"
    assert reasoning == f"{THOUGHT}\n\n{text}"
    assert (steps, segmenter) == (["I have two.", "Three come to it.", "Good luck!"], "steps/1")


async def test_the_thought_is_the_reasoning_where_the_response_only_answers(tmp_path: Path):
    """A response that states an answer and nothing else: text and steps are those of the thought."""
    ((thought, response, answer, text, reasoning, steps, segmenter),) = await made(tmp_path, brief)
    assert (thought, response, answer) == (THOUGHT, "The answer is 5.", "5")
    assert text == reasoning == THOUGHT
    assert (steps, segmenter) == (THOUGHT.split("\n"), "thought steps/1")


async def test_only_the_thought_can_be_kept(tmp_path: Path):
    """`thought: only` keeps of the response no more than the statement of its answer."""
    ((thought, response, answer, text, *_, steps, segmenter),) = await made(tmp_path, full, ", thought: only")
    assert (thought, response, answer, text) == (THOUGHT, "The answer is 5.", "5", THOUGHT)
    assert (steps, segmenter) == (THOUGHT.split("\n"), "thought steps/1")


async def test_the_thought_can_be_dropped(tmp_path: Path):
    """`thought: drop` leaves the record without it; the ledger has it."""
    ((thought, response, *_),) = await made(tmp_path, full, ", thought: drop")
    assert (thought, response) == (None, full(None, None))
    assert ask(tmp_path / "run", "SELECT thought FROM calls") == [(THOUGHT,)]
    assert ask(tmp_path / "run", "SELECT thought_kind FROM rationales") == [(None,)]


@pytest.mark.parametrize(
    ("part", "steps", "segmenter"),
    [
        ("thought", THOUGHT.split("\n"), "thought lines/1"),
        ("response", ["I have two.", "Three come to it.", "Good luck!"], "lines/1"),
    ],
)
async def test_either_part_can_be_cut(tmp_path: Path, part: str, steps: list[str], segmenter: str):
    """`segment` cuts the part it is told; thought and response stay as they were."""
    (row,) = await made(tmp_path, full, more=f"  - {{step: segment, into: lines, part: {part}}}\n")
    assert row[:2] == (THOUGHT, full(None, None))
    assert row[-2:] == (steps, segmenter)


async def test_equal_responses_with_different_thoughts_are_no_duplicates(tmp_path: Path):
    """Near-duplicates are looked for in the reasoning, wherever it stands."""
    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate, samples: 4, temperature: 1.0}
          - {step: deduplicate}
        corpus:
          - {step: near_duplicates, target: rationale, threshold: 0.8}
        """,
    )

    class Varied(ScriptedModel):
        async def complete(self, request: Any) -> Completion:
            words = " ".join(f"word{request.sample % 3}{i}" for i in range(30))
            return (await super().complete(request))._replace(thought=words)

    await run(pipeline, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", Varied(brief))
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(3,)]
