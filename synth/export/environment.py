"""A package for `verifiers`: the rows of `grpo`, and our rewards as those of its tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from synth.errors import UserError

__all__ = ["environment_package"]

_PROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
description = "Problems with verifiable rewards, exported by synth."
requires-python = ">=3.11"
dependencies = ["verifiers>=0.4", "synth-rationales"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["{module}"]

[tool.hatch.build.targets.wheel.force-include]
{files}
"""

_INIT = '''\
"""Problems with verifiable rewards, exported by synth: a taskset of `verifiers`."""

from {module}.taskset import ExportedTaskset, load_environment

__all__ = ["ExportedTaskset", "load_environment"]
'''

_TASKSET = '''\
"""The tasks, and what rewards them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import verifiers.v1 as vf

from synth.rewards.columns import reward_of_row

FILES = {files!r}


class ExportedData(vf.TaskData):
    row: dict[str, Any]
    """The columns of the row, which the reward reads."""


class ExportedTask(vf.Task[ExportedData]):
    @property
    def key(self) -> str:
        return str(self.data.id)

    @vf.reward(weight=1.0)
    async def reward(self, trace: vf.Trace) -> dict[str, float]:
        """That which the row names; nothing where it does not apply."""
        row = self.data.row
        value = await asyncio.to_thread(reward_of_row, trace.last_reply, row)
        return {{}} if value is None else {{row["reward"].rpartition(".")[2]: value}}


class ExportedConfig(vf.TasksetConfig):
    split: str = next(iter(FILES))
    """Which rows."""
    stage: int | None = None
    """Of a curriculum, the stage from which tasks are taken; all if None."""


class ExportedTaskset(vf.Taskset[ExportedTask, ExportedConfig]):
    def load(self) -> Iterator[ExportedTask]:
        here = Path(__file__).parent
        name = FILES[self.config.split]
        path = next(path for path in (here / name, here.parent / name) if path.is_file())
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if self.config.stage is not None and row["stage"] != self.config.stage:
                    continue
                *system, asked = row.pop("prompt")
                yield ExportedTask(
                    ExportedData(
                        id=row["problem_id"],
                        prompt=asked["content"],
                        system_prompt=system[0]["content"] if system else None,
                        row=row,
                    ),
                    self.config.task,
                )


def load_environment(**taskset: Any) -> vf.Env:
    """The environment, with one reply a task: no tools, no code. Keywords are those of `ExportedConfig`."""
    config = {{"taskset": {{"id": "{name}", **taskset}}, "agent": {{"harness": {{"id": "null"}}}}}}
    return vf.load_environment(vf.resolve_env_config(config))
'''

_README = """\
# {name}

Problems with verifiable rewards, exported by `synth export --to grpo --for verifiers`. Each row names its reward, a function of `synth.rewards`.

```bash
pip install .
vf-eval {name} --env.agent.harness.id null -n 3
```

```python
import {module}

environment = {module}.load_environment()
```

Splits: {splits}. `--env.taskset.split NAME` takes one, `--env.taskset.stage N` a stage of a curriculum.
"""


def environment_package(name: str, files: Mapping[str, Path]) -> dict[str, bytes]:
    """The files of the package besides its rows, by their names in the folder.

    Args:
        name: what the package is called.
        files: the files of rows by split (`""` where there is one).

    Raises:
        UserError: no package can have that name.
    """
    dashed = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    module = dashed.replace("-", "_")
    if not module.isidentifier() or len(module) > 100:
        raise UserError(f"--environment {name}: no package can have this name", fix="give letters, digits and dashes")
    of_split = {split or "all": path.name for split, path in files.items()}
    if "train" in of_split:  # the first one is the default
        of_split = {"train": of_split.pop("train"), **of_split}
    known = {
        "name": dashed,
        "module": module,
        "splits": ", ".join(f"`{split}`" for split in of_split),
        "files": "\n".join(f'"{file}" = "{module}/{file}"' for file in of_split.values()),
    }
    texts = {
        "pyproject.toml": _PROJECT.format(**known),
        f"{module}/__init__.py": _INIT.format(**known),
        f"{module}/taskset.py": _TASKSET.format(**{**known, "files": of_split}),
        f"{module}/README.md": _README.format(**known),
    }
    return {file: text.encode() for file, text in texts.items()}
