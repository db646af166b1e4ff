"""Python that a pipeline brings: steps, classes of replies, verifiers, simulators. It runs as the user, so the user allows it first.

What comes with the package is allowed. Anything else is known by the hash of its content: a file that has changed is asked for
again. A file is read once, and what was read is what is hashed and run.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from synth.approvals import allow_code as remember
from synth.approvals import code_is_allowed
from synth.errors import PipelineError, UserError
from synth.files import read_file
from synth.models import Reply, Simulator
from synth.models.structured import holds_itself
from synth.reach import Reach
from synth.shipped import shipped
from synth.steps import Step, all_steps
from synth.verify import Verifier

__all__ = ["Code", "CodeFile", "allow_code", "load_code"]

_MOST_BYTES = 2**18
"""Of a file."""


@dataclass(frozen=True)
class CodeFile:
    """A file with Python."""

    path: Path
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_allowed(self) -> bool:
        """Whether it may run: it came with the package, or the user has allowed this content."""
        return self.path.resolve().is_relative_to(shipped("pipelines").resolve()) or code_is_allowed(self.digest)


@dataclass
class Code:
    """What the Python of a pipeline gives it."""

    steps: dict[str, type[Step]] = field(default_factory=dict)
    """Steps by the name of their option `step`."""
    replies: dict[str, type[Reply]] = field(default_factory=dict)
    """Classes of replies by name, for `reply` of `ask`."""
    verifiers: dict[str, Verifier] = field(default_factory=dict)
    """Verifiers by name, for `verifier` of the steps that verify."""
    simulators: dict[str, Simulator] = field(default_factory=dict)
    """How the scripted model answers steps, by the names of the steps."""
    digests: dict[str, str] = field(default_factory=dict)
    """What has run: the hash of each file's content, by its place and name."""
    whole: bool = True
    """Whether all of it could run, so that what it defines is known."""


def read_code(name: str, reach: Reach) -> CodeFile:
    """A file that a pipeline names, read and not run.

    Raises:
        UserError: it is not there, lies elsewhere, does not end in `.py`, or is too large.
    """
    path = reach.find(name)
    if path.suffix != ".py":
        raise UserError("this is not Python", where=name, fix="name a file that ends in .py")
    if not path.is_file():
        raise UserError("there is no such file", where=str(path), fix="it lies beside the pipeline file")
    return CodeFile(path, read_file(path, _MOST_BYTES))


def load_code(name: str, reach: Reach, code: Code) -> None:
    """Run a file, and add what it defines.

    Raises:
        UserError: it may not run, it raises, or it defines a step of a name that is taken.
    """
    file = read_code(name, reach)
    if not file.is_allowed:
        lines = file.content.count(b"\n")
        raise UserError(
            f"{file.path} holds Python ({lines} lines) that would run as you, with your files and keys, and is not allowed yet",
            fix="read it; then add --allow-code to the command (run, plan, rehearse, pipelines), or call synth.allow_code(PIPELINE)",
        )
    module = _run(file.path, file.content)
    code.digests[f"{len(code.digests) + 1}: {name}"] = file.digest  # two files may have one name
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, type) and issubclass(value, Step):
            own = value.model_fields["step"].default
            if not isinstance(own, str):  # a base class
                continue
            if own in all_steps() or own in code.steps:
                raise UserError(
                    f"the step {own!r} is defined already", where=str(file.path), fix="give it another name"
                )
            code.steps[own] = value
        elif isinstance(value, type) and issubclass(value, BaseModel):
            if not issubclass(value, Reply):
                raise UserError(
                    f"{value.__name__} is no class of replies",
                    where=str(file.path),
                    fix="derive it from synth.Reply",
                )
            if holds_itself(value):
                raise UserError(
                    f"the class of replies {value.__name__} holds itself, at some depth, and no endpoint can be held to that",
                    where=str(file.path),
                    fix="write out how deep a reply may be: a class for each level",
                )
            code.replies[value.__name__] = value
        else:
            named = getattr(value, "simulates", None)
            if callable(value) and isinstance(named, tuple):
                code.simulators |= dict.fromkeys(named, value)
            if callable(value) and isinstance(verifies := getattr(value, "verifies", None), str):
                code.verifiers[verifies] = value


@lru_cache(maxsize=64)
def _run(path: Path, content: bytes) -> ModuleType:
    """A file as a module; run once for each content, so that its classes are the same ones each time."""
    module = ModuleType(f"synth_code_{hashlib.sha256(content).hexdigest()[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # Pydantic looks up the annotations of classes there
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)  # noqa: S102  # the user has allowed it
    except BaseException as error:
        del sys.modules[module.__name__]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise UserError(why_raised(error, path), where=str(path), fix="correct the file") from error
    return module


def why_raised(error: BaseException, path: Path) -> str:
    """What an exception says, with the last line of a file that it came from."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    at = f"line {lines[-1]}: " if lines else ""
    return f"{at}{type(error).__name__}: {error}"[:500]


def allow_code(
    pipeline: str | Path | Mapping[str, Any], *, media_from: Sequence[str | Path] | None = None
) -> tuple[Path, ...]:
    """Allow the Python that a pipeline brings, as it is now: also that of the pipelines it extends.

    Args:
        pipeline: the name or path of a pipeline, or one written as a mapping.
        media_from: as in `load_pipeline`.

    Returns:
        The files that were not allowed before.

    Raises:
        PipelineError: there is no such pipeline.
        UserError: a file cannot be read, or the user's settings cannot be written.
    """
    from synth.pipeline.load import code_of

    new = [file for file in code_of(pipeline, media_from) if not file.is_allowed]
    try:
        remember((file.digest, str(file.path.resolve())) for file in new)
    except OSError as error:
        raise PipelineError(f"the answer cannot be remembered: {error.strerror or error}") from error
    return tuple(file.path for file in new)
