"""Lists of steps are read: `use` puts in the steps of a block, with its parameters filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.errors import UserError
from synth.pipeline.document import Document, Place, read_document
from synth.pipeline.draft import Draft, Finding, near
from synth.pipeline.items import MOST_STEPS, Item, rename, walk
from synth.steps import Step
from synth.yaml_text import Path as YamlPath

__all__ = ["MOST_DEPTH", "Reader"]

MOST_DEPTH = 10
"""Blocks within each other."""
_MOST_LETTERS = 2**20
"""Characters of texts made by filling in parameters: blocks within each other could double a text at each level."""

_PARAMETER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


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
            rename(items, {step.name: f"{prefix}_{step.name}" for step in walk(items)})
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


def _text(value: Any) -> str:
    """A value as it stands within a text."""
    return (
        str(value).lower()
        if isinstance(value, bool)
        else ""
        if value is None or isinstance(value, list)
        else str(value)
    )
