"""Declared mappings: what the rows of a data set are, written down once, in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from synth.bounded import nearest
from synth.errors import InputError, UserError
from synth.prompts import Expression
from synth.sources.formats import FUNCTIONS
from synth.sources.mapping import FIELDS
from synth.yaml_text import NotYaml, load_yaml

__all__ = [
    "Columns",
    "CritiqueMap",
    "Declared",
    "Expr",
    "PairMap",
    "RationaleMap",
    "ScoreMap",
    "find_mapping",
    "load_mapping",
    "recognised_by",
    "shipped_mappings",
]

_FOLDER = Path(__file__).parent / "mappings"

Expr = Annotated[str, Field(min_length=1)]
"""A Jinja2 expression over the columns of a row: a column's name is its value, `'words'` in quotes are themselves, `row`
is the whole row (`row['a name with spaces']`), `line` its number from 1; and the functions of `synth.sources.formats`."""


class Columns(dict[str, Any]):
    """A row by the names of its columns; one it does not have is null."""

    def __missing__(self, name: str) -> None:
        return None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoreMap(_Part):
    """Verdicts on a record."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """What is measured: `correct`, `step_correct`, `review`…"""
    value: Expr | None = None
    """The verdict: a number, or true and false; null where there is none."""
    label: Expr | None = None
    """The verdict as a word."""
    steps: Expr | None = None
    """A list with a verdict on each step of the rationale, as many as it has; null for a step that nobody judged."""
    first_wrong: Expr | None = None
    """Index of the first wrong step, from 0: those before it are right, those after it are not judged. Null or -1: all
    are right."""
    judge: Expr = "'human'"
    """Who judged."""
    reason: Expr | None = None
    """Why, in words."""
    when: Expr | None = None
    """Only where this is true."""


class CritiqueMap(_Part):
    """An explained mistake."""

    explanation: Expr
    """What is wrong and why."""
    step_index: Expr | None = None
    """The mistaken step, from 0."""
    mistake: Expr | None = None
    """The kind of mistake."""
    correction: Expr | None = None
    """How it should have been."""
    critic: Expr = "'human'"
    """Who wrote it."""
    when: Expr | None = None
    """Only where this is true."""


class RationaleMap(_Part):
    """Rationales: one a row, or one for each item of a list."""

    name: str = "rationale"
    """What pairs call it."""
    each: Expr | None = None
    """A list; the expressions below then see each of its items as `item`, and its place, from 0, as `index`."""
    when: Expr | None = None
    """Only where this is true."""
    text: Expr | None = None
    """The reply as its author wrote it. A thought inside of it, in the tags of any family of models, is set apart."""
    thought: Expr | None = None
    """The thought before it, where it stands in a place of its own."""
    steps: Expr | None = None
    """Or, instead of the text: its steps, a list of texts, kept as they are."""
    answer: Expr | None = None
    """The answer it states. If not given, it is read out of the response, never out of a thought; null: it states none."""
    checked: bool = False
    """Whether its answer is compared with that of the problem; the verdict is the score `correct`."""
    author: Expr = "'teacher'"
    """What kind of author: teacher, student, human, reference, perturbed or program."""
    model: Expr | None = None
    """Name of the model that wrote it."""
    scores: tuple[ScoreMap, ...] = ()
    """Verdicts on it."""
    critiques: tuple[CritiqueMap, ...] = ()
    """Mistakes in it."""


class PairMap(_Part):
    """A preference between two of the rationales of a row."""

    chosen: str
    """Name of the rationale that is preferred."""
    rejected: str
    """Name of the other."""
    reason: Expr = "'preference'"
    """Why one is preferred: whose label it is."""
    margin: Expr | None = None
    """By how much."""
    when: Expr | None = None
    """Only where this is true."""
    scores: tuple[ScoreMap, ...] = ()
    """Verdicts on the pair: of one judge each."""


class Declared(_Part):
    """A mapping from rows to records."""

    mapping: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
    """Its name."""
    title: str = ""
    """One line: what rows it reads."""
    about: str = ""
    """What is to be known of them."""
    cites: tuple[str, ...] = ()
    """Where the format comes from."""
    recognised: Expr | None = None
    """True for a row that this mapping reads: it is taken for input of which no mapping is named. Sees `row`, not the columns."""
    where: Expr | None = None
    """Rows for which this is not true are none of ours, and passed over."""
    problem: dict[str, Expr]
    """The problem's fields. Rows with the same problem are one."""
    meta: tuple[str, ...] = ()
    """Columns to keep with the problem."""
    rationales: tuple[RationaleMap, ...] = ()
    """What was written about it."""
    pairs: tuple[PairMap, ...] = ()
    """Preferences."""

    def gives(self) -> tuple[str, ...]:
        """What it brings beside problems: kinds of record, and scores as `score.NAME`."""
        rationales = self.rationales
        scores = [*(s for r in rationales for s in r.scores), *(s for p in self.pairs for s in p.scores)]
        kinds = {
            "rationale": bool(rationales),
            "critique": any(r.critiques for r in rationales),
            "pair": bool(self.pairs),
        }
        named = [s.name for s in scores]
        named += ["correct"] if any(r.checked for r in rationales) else []
        named += ["preference"] if self.pairs else []
        return (*(kind for kind, there in kinds.items() if there), *dict.fromkeys(f"score.{name}" for name in named))

    def expressions(self) -> list[tuple[str, str, bool]]:
        """All its expressions, as (place, expression, whether it sees `item`)."""
        found = [("where", self.where, False)] if self.where is not None else []
        found += [(f"problem.{name}", source, False) for name, source in self.problem.items()]
        for i, one in enumerate(self.rationales):
            found += _expressions(one, f"rationales[{i}]", seen=one.each is not None)
        for i, pair in enumerate(self.pairs):
            found += _expressions(pair, f"pairs[{i}]", seen=False)
        return found

    def mistakes(self) -> list[str]:
        """What types cannot show."""
        found = [
            f"problem.{name}: a problem has no field {name!r}{_near(name, FIELDS)}"
            for name in self.problem
            if name not in FIELDS
        ]
        if "question" not in self.problem:
            found.append("problem: question is missing")
        names = [r.name for r in self.rationales]
        for i, one in enumerate(self.rationales):
            if (one.text is None) == (one.steps is None):
                found.append(f"rationales[{i}]: give either text or steps")
            if names.count(one.name) > 1:
                found.append(f"rationales[{i}].name: the name {one.name!r} is taken")
        for i, pair in enumerate(self.pairs):
            for side in ("chosen", "rejected"):
                if getattr(pair, side) not in names:
                    found.append(
                        f"pairs[{i}].{side}: there is no rationale named {getattr(pair, side)!r}{_near(getattr(pair, side), names)}"
                    )
                elif any(r.name == getattr(pair, side) and r.each is not None for r in self.rationales):
                    found.append(f"pairs[{i}].{side}: {getattr(pair, side)!r} is many rationales (each)")
        itself = [("recognised", self.recognised, False)] if self.recognised is not None else []
        for place, source, _ in (*itself, *self.expressions()):
            try:
                Expression(source)
            except UserError as error:
                found.append(f"{place}: {source!r} does not compile: {error.what}")
        return found

    def recognises(self, columns: list[str], row: Mapping[str, Any]) -> bool:
        """Whether it says that it reads such rows."""
        if self.recognised is None:
            return False
        try:
            return bool(Expression(self.recognised)({**dict.fromkeys(columns), **FUNCTIONS, "row": Columns(row)}))
        except (UserError, TypeError):  # an expression that fails on a row is not about such rows
            return False

    def unknown_columns(self, columns: list[str]) -> list[str]:
        """What it calls by names that no row has."""
        found = []
        for place, source, seen in self.expressions():
            known = {**dict.fromkeys(columns), **dict.fromkeys(FUNCTIONS), "row": None, "line": None}
            if seen:
                known |= {"item": None, "index": None}
            found += [
                f"{place}: the input has no column {name!r}{_near(name, columns)}"
                for name in Expression(source).unknown_names(known)
            ]
        return [
            *found,
            *(f"meta: the input has no column {c!r}{_near(c, columns)}" for c in self.meta if c not in columns),
        ]


def _expressions(part: _Part, place: str, *, seen: bool) -> list[tuple[str, str, bool]]:
    found = []
    for name in type(part).model_fields:
        value = getattr(part, name)
        if name in {"scores", "critiques"}:
            for i, inner in enumerate(value):
                found += _expressions(inner, f"{place}.{name}[{i}]", seen=seen)
        elif isinstance(value, str) and name not in {"name", "chosen", "rejected"}:
            found.append((f"{place}.{name}", value, seen and name != "each"))
    return found


def shipped_mappings() -> dict[str, Path]:
    """The mappings that come with the package, by name."""
    return {p.relative_to(_FOLDER).with_suffix("").as_posix(): p for p in sorted(_FOLDER.rglob("*.yaml"))}


def find_mapping(name: str) -> Path:
    """The file of a mapping: shipped (its last part is enough), or the path of one of your own.

    Raises:
        InputError: there is none.
    """
    known = shipped_mappings()
    if name.endswith((".yaml", ".yml")):
        if Path(name).is_file():
            return Path(name)
        raise InputError("there is no such mapping file", where=name, fix="synth import --list shows the shipped ones")
    short = [n for n in known if name in {n, n.rsplit("/", 1)[-1]}]
    if len(short) == 1:
        return known[short[0]]
    if short:
        raise InputError(f"{name!r} could be {' or '.join(short)}", fix="give its whole name")
    near = _near(name, [*known, *(n.rsplit("/", 1)[-1] for n in known)])
    raise InputError(
        f"there is no mapping {name!r}{near}", fix="synth import --list shows them; a file of yours ends in .yaml"
    )


def load_mapping(name: str) -> Declared:
    """Read a mapping.

    Raises:
        InputError: there is none, or it does not hold; all its mistakes at once.
        UserError: it cannot be read.
    """
    path = find_mapping(name)
    try:
        data = load_yaml(path)
    except NotYaml as error:
        raise InputError(
            f"this is not YAML: {error.what}", where=f"{path}:{error.line}", fix="correct the file"
        ) from error
    try:
        made = Declared.model_validate(data)
    except ValidationError as error:
        raise _refused(path, [_told(e) for e in error.errors(include_input=False)]) from error
    if mistakes := made.mistakes():
        raise _refused(path, mistakes)
    return made


@cache
def _shipped(name: str) -> Declared:
    return load_mapping(name)


def recognised_by(columns: list[str], row: Mapping[str, Any]) -> list[str]:
    """The shipped mappings that read such rows, by name.

    Args:
        columns: the columns of the input.
        row: one of its rows.
    """
    return [name for name in shipped_mappings() if _shipped(name).recognises(columns, row)]


def _refused(path: Path, mistakes: list[str]) -> InputError:
    n = len(mistakes)
    head = f"{n} mistake{'s' if n != 1 else ''} in the mapping:"
    return InputError("\n  ".join([head, *mistakes]), where=str(path), fix="docs/import.md says what can stand in one")


_KEYS: dict[Any, type[_Part]] = {
    "rationales": RationaleMap,
    "scores": ScoreMap,
    "pairs": PairMap,
    "critiques": CritiqueMap,
}


def _told(error: Any) -> str:
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        inside = next((_KEYS[p] for p in reversed(error["loc"][:-1]) if p in _KEYS), Declared)
        key = str(error["loc"][-1])
        return f"{place}: unknown key{_near(key, inside.model_fields)}"
    if error["type"] == "missing":
        return f"{place} is missing"
    return f"{place or 'the file'}: {error['msg']}"


def _near(word: str, known: Any) -> str:
    near = nearest(word, known, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
