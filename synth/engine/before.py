"""What can be seen before a run beyond the pipeline's own mistakes: keys that are not set, columns that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from synth.bounded import nearest
from synth.errors import SetupError, UserError
from synth.models import Model
from synth.models.endpoint import EndpointModel
from synth.pipeline import Pipeline
from synth.prompts import Expression
from synth.records import Problem
from synth.steps import ModelStep

__all__ = ["unknown_columns", "unset_keys"]


def unset_keys(models: Mapping[str, Sequence[Model]]) -> list[str]:
    """Keys, headers and client certificates of models that a run would not find; each with what to do.

    Args:
        models: the models that play each role.
    """
    found = []
    for model in {id(m): m for some in models.values() for m in some}.values():
        if not isinstance(model, EndpointModel):
            continue
        try:
            model.check()
        except SetupError as error:
            found.append(_line(f"{error.where or f'model {model.name}'}: {error.what}", error.fix))
    return found


def unknown_columns(
    pipeline: Pipeline,
    problems: Iterable[Problem],
    made: frozenset[str] = frozenset(),
    fields: Mapping[str, str] | None = None,
) -> list[str]:
    """Columns that expressions and prompts read (`problem.meta.NAME`) and no row of the input has, each with the nearest name.

    Args:
        pipeline: what to do.
        problems: the problems of the input; they are read only as far as it takes to see every such column.
        made: keys in `meta` of problems that steps make.
        fields: which column gives which field: such a column is not in `meta`.
    """
    read = list(dict.fromkeys(_read(pipeline)))
    missing = {column for _, column in read} - made
    if not missing:
        return []
    known = dict.fromkeys(sorted(made))
    for problem in problems:
        known.update(dict.fromkeys(problem.meta))
        missing.difference_update(problem.meta)
        if not missing:
            return []
    field_of = {column: field for field, column in (fields or {}).items()}
    return [
        _line(
            f"{where} reads problem.meta.{column}, and no row of the input has such a column",
            _meant(column, known, field_of),
        )
        for where, column in read
        if column in missing
    ]


def _meant(column: str, known: Iterable[str], field_of: Mapping[str, str]) -> str:
    if (field := field_of.get(column, column)) in Problem.model_fields:
        return f"write problem.{field}"
    if near := nearest(column, known, cutoff=0.5):
        return f"did you mean {near[0]!r}?"
    return f"columns beside the fields of problems: {', '.join(known) or 'none'}"


def _read(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Where a column is read, in words, and the column."""
    for step in pipeline.steps:
        owners = ("problem", "record") if step.takes_type() is Problem else ("problem",)
        for option, source in {**({"where": step.where} if step.where else {}), **step.expressions()}.items():
            yield from ((f"step {step.name}, {option}", column) for column in _columns(source, owners))
        if isinstance(step, ModelStep):
            for option in step.prompts():
                prompt = step.load(option)
                for column, line in prompt.keys_read(("problem",), "meta"):
                    yield f"step {step.name}, {option} {prompt.name}, line {line}", column
    for corpus_step in pipeline.corpus:
        for option, source in corpus_step.sources():
            yield from ((f"step {corpus_step.name}, {option}", column) for column in _columns(source, ("problem",)))


def _columns(source: str, owners: Sequence[str]) -> list[str]:
    try:
        return Expression(source).keys_read(owners, "meta")
    except UserError:  # an option that may also be something else than an expression
        return []


def _line(what: str, fix: str | None) -> str:
    return f"{what} → {fix}" if fix else what
