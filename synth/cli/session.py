"""From the words of a command to a run: pipeline, teachers, source; all checked before anything is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.engine import Progress, Summary, run_pipeline
from synth.pipeline import Pipeline, read_pipeline
from synth.sources import Source, open_source
from synth.teachers import Budget, Profile, Teacher, bind_roles, load_profile, make_teacher
from synth.teachers.embedded import EmbeddedTeacher
from synth.teachers.endpoint import EndpointTeacher

__all__ = ["Session", "open_session"]


@dataclass
class Session:
    """A checked pipeline with its teachers and problems."""

    pipeline: Pipeline
    source: Source
    teachers: Mapping[str, Sequence[Teacher]]
    words: Mapping[str, Any]
    """What `run.json` remembers, so that `retry` can take the run up."""

    def go(
        self,
        run: Path,
        *,
        limit: int | None = None,
        skip_bad: bool = False,
        budget: Budget | None = None,
        again: frozenset[str] = frozenset(),
    ) -> Summary:
        """Run it with the panel, and tell how it ended."""
        from synth.cli.panel import Panel

        progress = Progress()
        words = {**self.words, "skip_bad": skip_bad}
        with Panel(progress, f"{self.pipeline.pipeline} → {run}") as panel:
            summary = asyncio.run(
                run_pipeline(
                    self.pipeline,
                    self.source,
                    run,
                    self.teachers,
                    limit=limit,
                    skip_bad=skip_bad,
                    budget=budget,
                    again=again,
                    remember={"words": words},
                    progress=progress,
                    on_note=panel.note,
                )
            )
        panel.close_with(summary)
        return summary


def open_session(
    name: str,
    *,
    input_name: str | None = None,
    maps: Mapping[str, str] | None = None,
    given: Sequence[str] = (),
    profile_path: Path | None = None,
    default_teacher: str = "local",
    prepare: bool = True,
) -> Session:
    """Read and check everything a run needs.

    Args:
        name: the pipeline.
        input_name: the problems; None for the pipeline's sample.
        maps: the user's own mapping, field to column.
        given: `--teacher` options.
        profile_path: `--profile`.
        default_teacher: plays the roles nobody was named for.
        prepare: whether keys are looked up and models fetched; a plan needs neither.

    Raises:
        PipelineError, SetupError, InputError: all mistakes of a kind at once.
    """
    from synth.cli.options import resolve_input

    draft = read_pipeline(name)
    teachers: dict[str, list[Teacher]] = {}
    if draft.pipeline is not None:
        profile: Profile = load_profile(profile_path)
        bound = bind_roles(draft.pipeline.role_names, given, profile, default_teacher)
        made = {n: make_teacher(n, profile) for names in bound.values() for n in names}
        teachers = {role: [made[n] for n in names] for role, names in bound.items()}
        draft.check_teachers(teachers)
    pipeline = draft.checked()
    source = open_source(resolve_input(input_name, pipeline.sample), mapping=maps, needs=pipeline.needs)
    if prepare:
        for teacher in {t.name: t for some in teachers.values() for t in some}.values():
            if isinstance(teacher, EmbeddedTeacher):
                teacher.prepare()
            elif isinstance(teacher, EndpointTeacher):
                teacher.check()
    words = {
        "pipeline": name if not Path(name).is_file() else str(Path(name).resolve()),
        "input": str(Path(source.name).resolve()) if Path(source.name).is_file() else source.name,
        "map": dict(maps or {}),
        "teacher": list(given) or ([default_teacher] if default_teacher != "local" else []),
        "profile": str(profile_path.resolve()) if profile_path else None,
    }
    return Session(pipeline, source, teachers, words)
