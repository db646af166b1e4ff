"""Short words for tests of methods: inputs, presets, models with known abilities."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

from support import write_rows, yaml_file

from synth.models import Completion, ScriptedModel, World
from synth.pipeline import find_pipeline
from synth.pipeline.code import _run, read_code
from synth.reach import Reach


def near(share: float, expected: float, n: int) -> bool:
    """Whether a share of `n` is within 3 standard deviations; the seeds are fixed, so this holds always or never."""
    return abs(share - expected) <= 3 * math.sqrt(expected * (1 - expected) / n)


def choices(path: Path, n: int, options: int = 5) -> Path:
    """A file of `n` questions with so many options; the answers go through the letters."""
    rows = [
        {
            "question": f"Which of those is it in case {i}, with {i * i} of one kind and {7 * i} of another (r{i}x)?",
            "choices": [f"word{j}x{i}" for j in range(options)],
            "answer": "ABCDE"[i % options],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def preset(path: Path, base: str, **override: Any) -> Path:
    """A pipeline file that extends `base`, with options by step name."""
    return yaml_file(path, f"pipeline: my/preset\nextends: {base}\noverride: {json.dumps(override)}\n")


def code_of(method: str, file: str = "parts.py") -> ModuleType:
    """The Python that a shipped method brings: the module whose steps its pipeline has."""
    found = read_code(file, Reach(find_pipeline(method).parent))
    return _run(found.path, found.content)


def saying(probability: float) -> Completion:
    """Yes or no, with the log-probabilities of both: what a step gets that asks for `reply: probability`."""
    both = [{"token": t, "logprob": math.log(max(p, 1e-9))} for t, p in (("Yes", probability), ("No", 1 - probability))]
    first = {"token": "Yes", "logprob": both[0]["logprob"], "top_logprobs": both}
    return Completion(text="Yes", finish="stop", prompt_tokens=9, completion_tokens=1, logprobs={"content": [first]})


def models(**worlds: World) -> list[ScriptedModel]:
    """Scripted models by name, each with a world and luck of its own."""
    return [ScriptedModel(w, name=n, seed=i) for i, (n, w) in enumerate(worlds.items())]


def _wrong(request: Any, rng: Any) -> str:
    return "I count.\nThe answer is 1."


STUDENT = [ScriptedModel(_wrong, name="student")]
"""A student that gets everything wrong."""
