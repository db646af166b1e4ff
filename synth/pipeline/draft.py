"""What has been found out about a pipeline file: the pipeline, and the mistakes in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import NamedTuple

from synth.bounded import nearest
from synth.errors import PipelineError
from synth.models import Model
from synth.pipeline.spec import Pipeline
from synth.steps import ModelStep

__all__ = ["Draft", "Finding", "near"]


class Finding(NamedTuple):
    """One mistake in a pipeline."""

    file: str
    """The file; of a pipeline given as a mapping the place in it, such as `steps[0].samples`."""
    line: int
    """From 1; 0 in a mapping, which has no lines."""
    what: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.what}\n  → {self.fix}"


@dataclass
class Draft:
    """A pipeline file as read, with the mistakes found in it so far."""

    pipeline: Pipeline | None = None
    findings: list[Finding] = field(default_factory=list)
    incomplete: bool = False
    """Whether a step could not be recognized at all, so that nothing is known of what it would make."""
    places: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """File and line of each option, by step name and option."""
    originals: dict[str, str] = field(default_factory=dict)
    """Of a step of a later iteration of a `repeat` the step that it is a copy of, by name."""

    def find(self, step: str, option: str, what: str, fix: str) -> None:
        """Note a mistake in an option of a step; of a copy only what its original does not have."""
        file, line = self.places.get((step, option)) or self.places.get((step, "step")) or ("", 1)
        original = f"step {self.originals.get(step, step)}: {what}"
        if step in self.originals and any(f[:3] == (file, line, original) for f in self.findings):
            return
        self.findings.append(Finding(file, line, f"step {step}: {what}", fix))

    def check_models(self, models: Mapping[str, Sequence[Model]]) -> None:
        """Note what the bound models cannot do that the steps need."""
        if self.pipeline is None:
            return
        made_by = {s.name: s.roles() for s in self.pipeline.model_steps}
        for index, step in enumerate(self.pipeline.steps):
            for role in step.roles() if isinstance(step, ModelStep) else ():
                if not models.get(role):
                    self.find(
                        step.name,
                        "by",
                        f"nobody plays the role {role!r}",
                        f"name a model: --model {quote(f'{role}=NAME')}",
                    )
                for model in models.get(role, ()):
                    assert isinstance(step, ModelStep)
                    for lacking in sorted(step.needs_of_models() - model.capabilities - model.unknown):
                        what = f"needs {lacking}, which model {model.name} does not have"
                        self.find(step.name, "by", what, f"bind another model, or add {lacking} to its capabilities")
            sources = self.pipeline.sources_of(index) or tuple(made_by)
            roles = dict.fromkeys(role for name in sources for role in made_by.get(name, ()))
            authors = [t for role in roles for t in models.get(role, ())]
            made = [s for s in self.pipeline.steps[:index] if s.name in sources]
            for option, what, fix in (*step.problems_with(models, authors), *step.problems_with_sources(made)):
                self.find(step.name, option, what, fix)

    def checked(self) -> Pipeline:
        """The pipeline.

        Raises:
            PipelineError: there are mistakes; it lists them all.
        """
        if self.findings or self.pipeline is None:
            ordered = sorted(dict.fromkeys(self.findings))
            n = len(ordered)
            head = f"{n} mistake{'s' if n != 1 else ''} in the pipeline; nothing was asked, nothing was spent"
            raise PipelineError("\n".join([head, *map(str, ordered)]))
        return self.pipeline


def near(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the known word nearest to one; None where none is like it."""
    found = nearest(word, known, cutoff=0.5)
    return f"did you mean {found[0]!r}?" if found else None
