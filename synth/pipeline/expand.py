"""From the items of `steps:` to plain steps: `use` puts in the steps of a block, `repeat` writes its steps out by iteration.

Both are expanded when a file is loaded, so that the static check, the plan and the engine see plain steps only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

from synth.errors import UserError
from synth.files import Reach
from synth.pipeline.document import Document, Place, read_document
from synth.pipeline.draft import Draft, Finding, near
from synth.pipeline.spec import MOST_ITERATIONS
from synth.steps import ModelStep, Step, all_steps
from synth.yaml_text import Path as YamlPath

__all__ = ["MOST_DEPTH", "MOST_STEPS", "Item", "Reader", "expand", "walk"]

MOST_STEPS = 500
"""Steps of a pipeline, with all blocks and iterations. The largest pipeline that is shipped has 18."""
MOST_DEPTH = 10
"""Blocks within each other."""
_MOST_LETTERS = 2**20
"""Characters of texts made by filling in parameters: blocks within each other could double a text at each level."""

_PARAMETER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


class Until(NamedTuple):
    """The condition of a `repeat`, checked with what is known after its first iteration."""

    source: str
    place: Place


@dataclass
class Item:
    """A step as it was written, or a `repeat` with its steps, and where its options stand."""

    options: dict[str, Any]
    document: Document
    path: YamlPath
    """Where it stands in the document."""
    reach: Reach
    """Which files it may name."""
    own: Mapping[str, type[Step]]
    """The steps that the pipeline's own Python defines."""
    steps: list[Item] | None = None
    """The steps of a `repeat`; None for a step."""
    moved: dict[str, Place] = field(default_factory=dict)
    """Where the options stand that an `override` or a `repeat` gave."""
    given: dict[str, Place] = field(default_factory=dict)
    """Where the values stand of options that are a parameter of a block, as a whole."""
    original: str | None = None
    """Of a step of a later iteration the name that it has in the first one."""
    repeat: int | None = None
    """Of a step of a `repeat` which one of the pipeline that is, from 0."""
    until: Until | None = None
    """After the last step of the first iteration: the condition of the `repeat`."""

    @property
    def name(self) -> str:
        """What the step is called; where it is written with neither a name nor a step, nothing."""
        return str(self.options.get("name") or self.options.get("step") or "")

    @property
    def written(self) -> str:
        """The name of the step, in the first iteration if it stands in a `repeat`."""
        return self.original or self.name

    def at(self, option: str | None = None) -> Place:
        """Where an option is written; without an option, where the item is."""
        if option is None:
            return self.document.at(*self.path)
        return self.moved.get(option) or self.document.at(*self.path, option)

    def value_at(self, option: str) -> Place:
        """Where the value of an option is written: of a parameter, where the block is used."""
        return self.given.get(option) or self.at(option)


def walk(items: Sequence[Item]) -> Iterator[Item]:
    """The steps, also those within a `repeat`, in order."""
    for item in items:
        yield from [item] if item.steps is None else walk(item.steps)


class Reader:
    """Reads lists of steps, and the blocks that they use.

    Args:
        draft: takes the findings.
        own: the steps that the pipeline's own Python defines, by name; more may come while it reads.
    """

    def __init__(self, draft: Draft, own: Mapping[str, type[Step]]) -> None:
        self._draft = draft
        self._own = own
        self._items = 0
        self._letters = 0
        self._blocks: dict[Path, Document | None] = {}

    def items(self, document: Document, written: Any, path: YamlPath, users: tuple[Path, ...] = ()) -> list[Item]:
        """The items of a list of steps, with the steps of blocks in the place of each `use`.

        Args:
            document: the file that the list stands in.
            written: the list as it was written.
            path: where it stands.
            users: the blocks that are being read.
        """
        if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
            self._find(document.at(*path), f"{path[-1]} is not a list of steps", "write - step: NAME")
        made: list[Item] = []
        for index, one in enumerate(written if isinstance(written, list) else ()):
            if not isinstance(one, dict):
                continue
            self._items += 1
            at = (*path, index)
            if self._items > MOST_STEPS:
                if self._items == MOST_STEPS + 1:
                    self._find(document.at(*at), f"the pipeline has more than {MOST_STEPS} steps", "split it")
                break
            if "use" in one:
                made += self._block(document, one, at, users)
            elif "repeat" in one:
                made.append(self._repeat(document, one, at, users))
            else:
                made.append(self.step(document, one, at))
        return made

    def step(self, document: Document, written: Mapping[str, Any], path: YamlPath, name: str | None = None) -> Item:
        """One step; `name` is its name if it is given none."""
        options = dict(written)
        options.setdefault("name", name or options.get("step", ""))
        return Item(options, document, path, document.reach, self._own)

    def _repeat(self, document: Document, one: Mapping[str, Any], path: YamlPath, users: tuple[Path, ...]) -> Item:
        self._check_keys(document, one, path, ("repeat",))
        inner, at = one["repeat"], (*path, "repeat")
        if not isinstance(inner, dict):
            self._find(document.at(*at), "repeat is not a mapping", "write repeat: {until: …, at_most: …, steps: […]}")
            inner = {}
        else:
            self._check_keys(document, inner, at, ("until", "at_most", "steps"))
            if not inner.get("steps"):
                self._find(document.at(*at), "repeat has no steps", "add steps:")
        steps = self.items(document, inner.get("steps") or [], (*at, "steps"), users)
        options = {option: value for option, value in inner.items() if option != "steps"}
        return Item(options, document, at, document.reach, self._own, steps=steps)

    def _block(self, document: Document, one: Mapping[str, Any], path: YamlPath, users: tuple[Path, ...]) -> list[Item]:
        self._check_keys(document, one, path, ("use", "name", "with"))
        block = self._open(document, one["use"], (*path, "use"), users)
        if block is None:
            return []
        self._check_keys(block, block.data, (), ("steps", "with"))
        if not block.data.get("steps"):
            self._find(block.at("steps"), "the block has no steps", "add steps:")
        given = self._parameters(document, one.get("with"), (*path, "with"))
        known = {**self._parameters(block, block.data.get("with"), ("with",)), **given}
        items = self.items(block, block.data.get("steps") or [], ("steps",), (*users, block.path.resolve()))
        prefix = one.get("name")
        if prefix is not None and (not isinstance(prefix, str) or not prefix):
            self._find(document.at(*path, "name"), "the name of a block is not a text", "write name: PREFIX")
        elif prefix is not None:
            # Names are prefixed before parameters are filled in: what a parameter names is a step of the pipeline that uses the block.
            _rename(items, {step.name: f"{prefix}_{step.name}" for step in walk(items)})
        used = self._check_parameters(block, block.data.get("steps"), ("steps",), known)
        for name in given:
            if name not in used and name not in self._parameters_of(block):
                hint = near(name, {*used, *self._parameters_of(block)})
                what = f"the block {one['use']} has no parameter {name!r}"
                parameters = ", ".join(sorted({*used, *self._parameters_of(block)})) or "none"
                self._find(document.at(*path, "with", name), what, hint or f"its parameters: {parameters}")
        places = {name: document.at(*path, "with", name) for name in given}
        self._fill(items, known, places)
        return items

    def _open(self, document: Document, name: Any, path: YamlPath, users: tuple[Path, ...]) -> Document | None:
        """The file of a block."""
        at = document.at(*path)
        if not isinstance(name, str) or not name.endswith((".yaml", ".yml")):
            self._find(
                at, "use does not name a file", "name a block, a file that ends in .yaml, beside the pipeline file"
            )
            return None
        try:
            file = document.reach.find(name)
        except UserError as error:
            self._find(at, f"{error.where}: {error.what}", error.fix or "name a file beside the pipeline file")
            return None
        if not file.is_file():
            self._find(at, f"there is no block {name}", "paths are read from beside the file that names them")
            return None
        if file.resolve() in users:
            self._find(at, f"the block {name} uses itself", "break the circle; to run steps again, write repeat:")
            return None
        if len(users) >= MOST_DEPTH:
            self._find(at, f"blocks are more than {MOST_DEPTH} deep", "use fewer blocks within each other")
            return None
        reach = document.reach.below(file.parent)
        if file not in self._blocks:
            self._blocks[file] = read_document(file, reach, self._draft, kind="block", fix="begin with steps:")
        block = self._blocks[file]
        return None if block is None else block._replace(reach=reach)

    def _parameters(self, document: Document, given: Any, path: YamlPath) -> dict[str, Any]:
        """The parameters of a `with`; of those that cannot be one the names, so that nothing is missed twice."""
        if given is None:
            return {}
        if not isinstance(given, dict):
            self._find(document.at(*path), "with is not a mapping", "write with: {PARAMETER: VALUE}")
            return {}
        for name, value in given.items():
            parts = value if isinstance(value, list) else [value]
            if not _PARAMETER.fullmatch(f"${{{name}}}"):
                self._find(
                    document.at(*path, name), f"{name!r} is not the name of a parameter", "write a word: a-z, 0-9, _"
                )
            elif any(isinstance(part, (list, dict)) for part in parts):
                what = f"the parameter {name!r} is neither a text, a number, true, false nor null, nor a list of these"
                self._find(document.at(*path, name), what, "write such a value")
        return dict(given)

    def _parameters_of(self, block: Document) -> frozenset[str]:
        defaults = block.data.get("with")
        return frozenset(defaults) if isinstance(defaults, dict) else frozenset()

    def _check_parameters(
        self, block: Document, written: Any, path: YamlPath, known: Mapping[str, Any], *, whole: bool = False
    ) -> set[str]:
        """The parameters that a block uses; those without a value, and lists within a text, are findings."""
        used: set[str] = set()
        if isinstance(written, (list, dict)):
            inner = written.items() if isinstance(written, dict) else enumerate(written)
            for key, part in inner:
                used |= self._check_parameters(block, part, (*path, key), known, whole=isinstance(written, dict))
        elif isinstance(written, str):
            for name in _PARAMETER.findall(written):
                used.add(name)
                if name not in known:
                    what = f"the parameter {name!r} has no value"
                    self._find(block.at(*path), what, "give it where the block is used, or as a default, under with:")
                elif isinstance(known[name], list) and not (whole and _PARAMETER.fullmatch(written)):
                    what = f"the parameter {name!r} is a list, and stands within a text or a list"
                    self._find(block.at(*path), what, f"write it as the whole value of an option: ${{{name}}}")
        return used

    def _fill(self, items: Sequence[Item], known: Mapping[str, Any], places: Mapping[str, Place]) -> None:
        """Fill in the parameters of the items of a block, and note where the values stand."""
        for item in items:
            for option, value in item.options.items():
                if isinstance(value, str) and (found := _PARAMETER.fullmatch(value)) and found[1] in places:
                    item.given[option] = places[found[1]]
                item.options[option] = self._filled(value, known, item.at(option))
            self._fill(item.steps or (), known, places)

    def _filled(self, value: Any, known: Mapping[str, Any], at: Place) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(part, known, at) for key, part in value.items()}
        if isinstance(value, list):
            return [self._filled(part, known, at) for part in value]
        if not isinstance(value, str):
            return value
        names = [name for name in _PARAMETER.findall(value) if name in known]
        if _PARAMETER.fullmatch(value):
            return known[names[0]] if names else value
        if not names:
            return value
        texts = {name: _text(known[name]) for name in names}
        self._letters += len(value) + sum(len(texts[name]) for name in names)
        if self._letters > _MOST_LETTERS:
            what = f"filling in parameters makes more than {_MOST_LETTERS:,} characters"
            self._find(at, what, "use shorter texts, or fewer blocks within each other")
            return ""
        return _PARAMETER.sub(lambda found: texts.get(found[1], found[0]), value)

    def _check_keys(self, document: Document, written: Mapping[str, Any], path: YamlPath, known: Sequence[str]) -> None:
        for key in written:
            if key not in known:
                what = f"unknown key {key!r}"
                self._find(document.at(*path, key), what, near(key, known) or f"known: {', '.join(known)}")

    def _find(self, at: Place, what: str, fix: str) -> None:
        finding = Finding(*at, what, fix)
        if finding not in self._draft.findings:  # a block that is used twice has each mistake once
            self._draft.findings.append(finding)


def expand(items: Sequence[Item], draft: Draft) -> list[Item]:
    """The plain steps: each `repeat` written out, iteration by iteration.

    The first iteration has the names that are written, the others `NAME_2`, `NAME_3` and so on. Within an iteration a name
    means the step of that iteration where it stands before, and else that of the iteration before. After the `repeat` it means
    the steps of all iterations, or, in an option that takes one name, that of the last.

    Args:
        items: as read, with steps of blocks in place.
        draft: takes the findings.
    """
    plain: list[Item] = []
    copies: dict[str, list[str]] = {}
    for number, item in enumerate(items):
        for step in walk([item]):
            _refer(step, partial(_all_iterations, copies))
        if item.steps is None:
            plain.append(item)
            continue
        inner = _inner(item, draft)
        until, most = _condition(item, draft)
        if inner and len(plain) + most * len(inner) > MOST_STEPS:
            what = f"with {most} iterations the pipeline has more than {MOST_STEPS} steps"
            draft.findings.append(Finding(*item.at("at_most"), what, "lower at_most, or repeat fewer steps"))
            most = 1
        for iteration in range(1, most + 1):
            plain += [
                replace(_copy(step, i, inner, iteration, until, draft), repeat=number) for i, step in enumerate(inner)
            ]
            if iteration == 1 and inner and until is not None:
                plain[-1].until = until
        copies |= {step.name: [_numbered(step.name, k + 1) for k in range(most)] for step in inner}
    return plain


def _all_iterations(copies: Mapping[str, list[str]], name: str) -> list[str]:
    return copies.get(name, [name])


def _inner(item: Item, draft: Draft) -> list[Item]:
    """The steps of a `repeat`."""
    for inner in (i for i in item.steps or () if i.steps is not None):
        draft.findings.append(
            Finding(*inner.at(), "a repeat stands within a repeat", "write one repeat with the steps of both")
        )
    steps = list(walk(item.steps or ()))
    for step in (s for s in steps if "unless" in s.options):
        what = f"step {step.name}: unless stands within a repeat, which sets it"
        draft.findings.append(Finding(*step.at("unless"), what, "write when: with the opposite condition"))
    return steps


def _condition(item: Item, draft: Draft) -> tuple[Until | None, int]:
    """When a `repeat` ends, and after how many iterations at the latest; after one where it does not say so rightly."""
    until, most = item.options.get("until"), item.options.get("at_most")
    if not isinstance(until, str):
        what = "repeat: until is missing" if until is None else "repeat: until is not a text"
        draft.findings.append(
            Finding(*item.value_at("until"), what, "add the condition that ends it: until: EXPRESSION")
        )
    allowed = f"write at_most: with a number from 1 to {MOST_ITERATIONS}"
    if most is None:
        draft.findings.append(Finding(*item.at("at_most"), "repeat: at_most is missing", allowed))
    elif not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_ITERATIONS:
        what = f"repeat: at_most is {str(most)[:40]}, and not a number from 1 to {MOST_ITERATIONS}"
        draft.findings.append(Finding(*item.value_at("at_most"), what, allowed))
        most = None
    if not isinstance(until, str):
        return None, 1
    return Until(until, item.value_at("until")), most or 1


def _copy(step: Item, position: int, inner: Sequence[Item], iteration: int, until: Until | None, draft: Draft) -> Item:
    """A step of a `repeat` in one iteration."""
    positions = {other.name: i for i, other in reversed(list(enumerate(inner)))}

    def meant(name: str) -> list[str]:
        if name not in positions:
            return [name]
        which = iteration if positions[name] < position else iteration - 1
        return [_numbered(name, which)] if which else []

    copy = replace(step, options=dict(step.options), moved=dict(step.moved))
    for option in _refer(copy, meant):
        what = f"step {step.name}: {option} names only steps that stand after it in the repeat, or the step itself"
        hint = f"in the first iteration they have made nothing: name a step before the repeat too, {option}: [BEFORE, NAME]"
        draft.findings.append(Finding(*step.value_at(option), what, hint))
    if iteration > 1 and until is not None:
        copy.original = step.name
        copy.options |= {"name": _numbered(step.name, iteration), "unless": until.source}
        copy.moved["unless"] = until.place
        if issubclass(_kind(step) or Step, ModelStep):
            copy.options["iteration"] = iteration
    return copy


def _numbered(name: str, iteration: int) -> str:
    return name if iteration == 1 else f"{name}_{iteration}"


def _rename(items: Sequence[Item], names: Mapping[str, str]) -> None:
    """Give steps other names, and those that refer to them."""
    for step in walk(items):
        step.options["name"] = names[step.name]
        _refer(step, lambda name: [names.get(name, name)])


def _refer(step: Item, meant: Callable[[str], list[str]]) -> list[str]:
    """Replace the names of steps in the options of a step by those that are meant.

    Returns:
        The options that are left without a name. They are removed.
    """
    kind, empty = _kind(step), []
    for option in (kind or Step).names_steps:
        value = step.options.get(option)
        names = [value] if isinstance(value, str) else value
        if not names or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            continue
        found = list(dict.fromkeys(new for name in names for new in meant(name)))
        if found == names:
            continue
        if not found:
            empty.append(option)
            del step.options[option]
        elif isinstance(value, str) and (len(found) == 1 or not _takes_list(kind, option)):
            step.options[option] = found[-1]
        else:
            step.options[option] = found
    return empty


def _kind(step: Item) -> type[Step] | None:
    which = step.options.get("step")
    return {**all_steps(), **step.own}.get(which) if isinstance(which, str) else None


def _takes_list(kind: type[Step] | None, option: str) -> bool:
    annotation = (kind or Step).model_fields[option].annotation
    return any(get_origin(part) is tuple for part in (annotation, *get_args(annotation)))


def _text(value: Any) -> str:
    """A value as it stands within a text."""
    return (
        str(value).lower()
        if isinstance(value, bool)
        else ""
        if value is None or isinstance(value, list)
        else str(value)
    )
