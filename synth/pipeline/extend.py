"""What a pipeline changes in the one that it extends: `insert`, `replace` and `override`, in this order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from synth.pipeline.blocks import Reader
from synth.pipeline.document import Document
from synth.pipeline.draft import Draft, Finding, near
from synth.pipeline.items import Item, walk

__all__ = ["CHANGES", "change"]

CHANGES = ("insert", "replace", "override")
"""Keys of a file that change the pipeline that it extends."""
_FILES = (".j2", ".json", ".jsonl")
"""Endings of files that options name. A step whose override names one may name the files that the overriding file may."""


def change(lists: Mapping[str, list[Item]], base: str, document: Document, reader: Reader, draft: Draft) -> None:
    """Change the steps of a pipeline in place.

    Args:
        lists: its `steps` and its `corpus`.
        base: what it is called, for the findings.
        document: the file that changes it.
        reader: reads the new steps.
        draft: takes the findings.
    """
    changes = _Changes(lists, base, document, reader, draft)
    changes.insert(document.data.get("insert"))
    changes.exchange(document.data.get("replace"))
    changes.override(document.data.get("override"))


class _Changes:
    def __init__(
        self, lists: Mapping[str, list[Item]], base: str, document: Document, reader: Reader, draft: Draft
    ) -> None:
        self._lists = lists
        self._base = base
        self._document = document
        self._reader = reader
        self._draft = draft

    def insert(self, written: Any) -> None:
        """Put steps before or after a step."""
        form = "write insert: [{after: NAME, steps: [{step: …}]}]"
        if written is not None and not isinstance(written, list):
            self._find("insert is not a list", form, "insert")
        for index, one in enumerate(written if isinstance(written, list) else ()):
            at = ("insert", index)
            sides = [side for side in ("before", "after") if isinstance(one, dict) and side in one]
            if len(sides) != 1 or not {"steps", *sides} >= set(one):
                self._find("an insert is not of before: or after: with steps:", form, *at)
                continue
            side = sides[0]
            new = self._reader.items(self._document, one.get("steps"), (*at, "steps"))
            found = self._locate(str(one[side]), *at, side)
            if found is not None:
                items, position = found
                position += side == "after"
                items[position:position] = new

    def exchange(self, written: Any) -> None:
        """Put a new step in the place of one; it keeps the name if it is given none."""
        for name, options in self._by_name("replace", written):
            if not isinstance(options, dict):
                self._find(f"the step for {name!r} is not a mapping", "write NAME: {step: …}", "replace", name)
            elif (found := self._locate(name, "replace", name)) is not None:
                items, position = found
                items[position] = self._reader.step(self._document, options, ("replace", name), name)

    def override(self, written: Any) -> None:
        """Change options of steps; null removes a step."""
        for name, options in self._by_name("override", written):
            if options is not None and not isinstance(options, dict):
                what = f"the options for {name!r} are not a mapping"
                self._find(what, "write NAME: {OPTION: VALUE}, or NAME: null to remove the step", "override", name)
                continue
            found = self._locate(name, "override", name)
            if found is None:
                continue
            items, position = found
            if options is None:
                del items[position]
                continue
            item = items[position]
            item.options |= options
            if any(isinstance(value, str) and value.endswith(_FILES) for value in options.values()):
                item.reach = self._document.reach
            for option in options:
                item.given.pop(option, None)
                item.moved[option] = self._document.at("override", name, option)

    def _by_name(self, key: str, written: Any) -> list[tuple[str, Any]]:
        if written is not None and not isinstance(written, dict):
            self._find(f"{key} is not a mapping", f"write {key}: {{NAME: …}}", key)
        return list(written.items()) if isinstance(written, dict) else []

    def _locate(self, name: str, *path: str | int) -> tuple[list[Item], int] | None:
        """The list that a step stands in, and its position; a finding where there is none of that name."""
        for items in self._lists.values():
            for inner in _lists_in(items):
                for position, item in enumerate(inner):
                    if item.steps is None and item.name == name:
                        return inner, position
        names = [step.name for items in self._lists.values() for step in walk(items)]
        hint = near(name, names) or f"its steps: {', '.join(names)}"
        self._find(f"{self._base} has no step {name!r}", hint, *path)
        return None

    def _find(self, what: str, fix: str, *path: str | int) -> None:
        self._draft.findings.append(Finding(*self._document.at(*path), what, fix))


def _lists_in(items: list[Item]) -> Iterator[list[Item]]:
    """A list of items, and the lists of each `repeat` in it."""
    yield items
    for item in items:
        if item.steps is not None:
            yield from _lists_in(item.steps)
