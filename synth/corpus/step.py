"""What a corpus step is: it reads kept records out of the store and gives rejections, or scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from math import isfinite, nan
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from synth.bounded import nearest
from synth.corpus.near_duplicates import Texts
from synth.errors import UserError
from synth.prompts import Expression
from synth.reach import Reach
from synth.records import (
    InUnit,
    Pair,
    Problem,
    Rationale,
    Rejection,
    Score,
    UnitRecord,
    content_id,
    derive,
    record_fields,
)

__all__ = [
    "CorpusRecord",
    "CorpusStep",
    "CorpusView",
    "FileStep",
    "Target",
    "chance",
    "digest_of",
    "expression_mistakes",
    "kinds_of",
    "numbers_of",
    "path_of",
    "scores_read",
]

R = TypeVar("R", bound=UnitRecord)

Target = Literal["problem", "rationale", "chosen", "rejected"]
"""What is looked at: questions (with context and choices), the text of rationales, or a side of pairs."""


class CorpusRecord(NamedTuple):
    """What a corpus step sees of a record, beside its text."""

    id: str
    unit: str
    table: str
    step: str
    """The step that made it."""
    problem: str
    """Id of the problem it belongs to; its own, if it is one."""
    model: str | None
    """Who wrote it; of a pair, who wrote the chosen side."""
    source: str | None
    """Where its problem came from: file and line."""
    answer: str | None
    """The gold answer of its problem."""

    def shared(self, by: str) -> str:
        """What it has in common with others: the value of a field, of `source` the file without the line."""
        value: str = getattr(self, by) or ""
        return value.rpartition(":")[0] if by == "source" else value


FIELDS = ("model", "source", "step", "problem", "unit", "answer")
"""What records are grouped by without an expression: who wrote it, the input file, the step that made it, its problem,
the root of that, the gold answer."""

NONE = "none"
"""The kind of records of which an expression says nothing."""


class CorpusView(Protocol):
    """What a corpus step sees of the store: what no unit step and no earlier corpus step has rejected."""

    def kept(self, target: Target) -> Sequence[CorpusRecord]:
        """The records, in order of their ids."""

    def texts(self, target: Target) -> Texts:
        """Their texts, in the same order; not all in memory."""

    def values(self, target: Target, name: str) -> Sequence[float | None]:
        """A number for each, in the same order: the score of that name, or `length` (characters), or of a problem
        `pass_rate` (share of right ones among all its judged rationales); None where there is none.
        """

    def variables(self, target: Target) -> Iterator[Mapping[str, Any]]:
        """What an expression sees of each, in the same order: `record` and its type (`rationale`, `problem`, `pair`),
        `problem`, and `score` and `label` by name; of a side of a pair also that rationale, with its scores.
        """


def _evaluated(view: CorpusView, target: Target, source: str, step: CorpusStep) -> Iterator[Any]:
    """The value of an expression for each record; None where it reckons with a score that is not there.

    Raises:
        UserError: it cannot be evaluated.
    """
    expression = Expression(source)
    for record, variables in zip(view.kept(target), view.variables(target), strict=True):
        try:
            yield expression.value(variables, f"corpus step {step.name}, {record.id}")
        except UserError as error:
            fix = "fix it and give the same command again: the corpus steps run again, and nothing is asked again"
            raise UserError(error.what, where=error.where, fix=fix) from error


def kinds_of(view: CorpusView, target: Target, by: str, step: CorpusStep) -> list[str]:
    """What kind each record is of: the value of one of `FIELDS`, or of an expression, as a word (`yes` and `no` for true
    and false, `none` where there is no value).

    Raises:
        UserError: the expression cannot be evaluated.
    """
    if by in FIELDS:
        return [r.shared(by) or NONE for r in view.kept(target)]
    return [_word(v) for v in _evaluated(view, target, by, step)]


def _word(value: Any) -> str:
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def numbers_of(view: CorpusView, target: Target, of: str, step: CorpusStep) -> list[float | None]:
    """A number for each record: a score by its name, `length`, `pass_rate`, or an expression; None where there is none.

    Raises:
        UserError: the expression cannot be evaluated, or gives what is no finite number.
    """
    if of.isidentifier():
        return list(view.values(target, of))
    numbers: list[float | None] = []
    for value in _evaluated(view, target, of, step):
        try:
            number = None if value is None else float(value)
        except (TypeError, ValueError):
            number = nan
        if number is not None and not isfinite(number):
            record = view.kept(target)[len(numbers)].id
            what = f"the expression {of!r} gives {str(value)[:80]!r}, which is no finite number"
            raise UserError(what, where=f"corpus step {step.name}, {record}", fix="fix it: it must give a number")
        numbers.append(number)
    return numbers


def expression_mistakes(option: str, source: str, names: Sequence[str] = ()) -> Iterator[tuple[str, str, str]]:
    """Mistakes in an option that is a name or an expression, that can be seen without a corpus.

    Args:
        option: the option.
        source: what it says.
        names: the names it may be; none: any.
    """
    if source.isidentifier() and (not names or source in names):
        return
    known = f"take {', '.join(names)}, or an expression" if names else "write the name of a score, or an expression"
    try:
        unknown = Expression(source).unknown_names(_SEEN)
    except UserError as error:
        yield (
            option,
            f"the expression {source!r} does not compile: {error.what}",
            f"fix it; it is Jinja2 (docs/expressions.md). {known}",
        )
        return
    for name in unknown:
        near = nearest(name, names)
        hint = f"did you mean {near[0]!r}? " if near else ""
        yield option, f"the expression {source!r} uses {name!r}, which is not on offer", f"{hint}{known}"


def scores_read(source: str) -> list[str]:
    """The scores that a name or an expression reads; none where it does not compile."""
    if source.isidentifier():
        return [] if source in {*FIELDS, "length", "pass_rate"} else [source]
    try:
        named = Expression(source).unknown_names({**_SEEN, "score": frozenset(), "label": frozenset()})
    except UserError:  # `expression_mistakes` reports what is wrong with it
        return []
    return [name.partition(".")[2] for name in named if name.startswith(("score.", "label."))]


_SEEN: dict[str, frozenset[str] | None] = {
    "record": None,
    "score": None,
    "label": None,
    **{kind.alias: record_fields(kind) for kind in (Problem, Rationale, Pair)},
}


class CorpusStep(BaseModel, ABC):
    """The base of corpus steps. A subclass adds `step: Literal["its_name"]`, its options, and `run`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    once: ClassVar[bool] = False
    """Whether a pipeline can have only one, because there is one answer to what it asks."""
    gives_scores: ClassVar[tuple[str, ...]] = ()
    """Names of the scores it makes."""

    step: str
    """Which step this is."""
    name: str = ""
    """What this use of it is called in the results; the step's own name if not given."""
    enabled: Annotated[bool, Field(exclude=True)] = True
    """Whether the pipeline has this step; with `false` its options are checked, and it is removed when the pipeline is loaded."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        """Mistakes in its options that types cannot show, as (option, what, fix)."""
        return ()

    def sources(self) -> Iterable[tuple[str, str]]:
        """Names and expressions among its options by which records are ranked or grouped, as (option, source)."""
        return ()

    def described(self) -> dict[str, Any]:
        """All that decides what it does, as JSON."""
        return self.model_dump(mode="json") | {"version": self.version}

    @abstractmethod
    def run(self, view: CorpusView) -> Sequence[Rejection | Score | str]:
        """Rejections of records of the view, and scores on them; and texts, remarks for the user."""

    def derive(self, kind: type[R], parents: Sequence[InUnit | str], **fields: Any) -> R:
        """A record that this step computes; see `synth.records.derive`."""
        return derive(kind, step=self.name, version=self.version, parents=parents, **fields)

    def reject(self, record: CorpusRecord, rule: str, observed: Any) -> Rejection:
        """The rejection of a record: the record stays, and this says why it is not kept."""
        return self.derive(
            Rejection, [record], target=record.id, target_table=record.table, rule=rule, observed=observed
        )


def chance(of: Any) -> float:
    """A number in [0, 1), drawn by the hash of what is given: always the same of the same, and evenly spread."""
    return int(content_id(of).removeprefix("b2:")[:13], 16) / 16**13  # 52 bits: what a float holds exactly


class FileStep(CorpusStep):
    """A corpus step that reads files beside the corpus."""

    folder: Annotated[SkipJsonSchema[InstanceOf[Reach] | None], Field(exclude=True, repr=False)] = None
    """Set by the loader: which files the pipeline may name, beside its file."""

    def files(self) -> Iterable[tuple[str, str]]:
        """The files it reads, as (option, path as written)."""
        return ()

    def path(self, name: str) -> Path:
        """Where a file is.

        Raises:
            UserError: the pipeline may not name it.
        """
        return path_of(name, self.folder)

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        for option, name in self.files():
            try:
                path = self.path(name)
            except UserError as error:
                yield option, f"{error.where}: {error.what}", error.fix or ""
                continue
            if not (path.is_file() or path.is_dir()):
                yield option, f"there is no {path}", "paths are read from beside the pipeline file"

    def described(self) -> dict[str, Any]:
        contents = {name: digest_of(self.path(name)) for _, name in self.files()}
        return super().described() | {"contents": contents}


def path_of(name: str, reach: Reach | None) -> Path:
    """Where a file is that a step names; `~` is the home folder.

    Raises:
        UserError: the pipeline may not name it.
    """
    path = Path(name).expanduser()
    return reach.find(path) if reach is not None else path


def digest_of(path: Path) -> str:
    """A hash of what a file holds, or all the files of a folder."""
    digest = blake2b(digest_size=16)
    for part in sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink()) if path.is_dir() else [path]:
        with part.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()
