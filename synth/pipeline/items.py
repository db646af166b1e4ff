"""The items of `steps:` as they were written: steps and repeats, where their options stand, and the steps that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args, get_origin

from synth.pipeline.document import Document, Place
from synth.reach import Reach
from synth.steps import Step, all_steps
from synth.yaml_text import Path as YamlPath

__all__ = ["MOST_STEPS", "Item", "Until", "kind_of", "refer", "rename", "walk"]

MOST_STEPS = 500
"""Steps of a pipeline, with all blocks and iterations. The largest pipeline that is shipped has 18."""


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


def rename(items: Sequence[Item], names: Mapping[str, str]) -> None:
    """Give steps other names, and those that refer to them."""
    for step in walk(items):
        step.options["name"] = names[step.name]
        refer(step, lambda name: [names.get(name, name)])


def refer(step: Item, meant: Callable[[str], list[str]]) -> list[str]:
    """Replace the names of steps in the options of a step by those that are meant.

    Returns:
        The options that are left without a name. They are removed.
    """
    kind, empty = kind_of(step), []
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


def kind_of(step: Item) -> type[Step] | None:
    """The class of a step; None where there is no such step."""
    which = step.options.get("step")
    return {**all_steps(), **step.own}.get(which) if isinstance(which, str) else None


def _takes_list(kind: type[Step] | None, option: str) -> bool:
    annotation = (kind or Step).model_fields[option].annotation
    return any(get_origin(part) is tuple for part in (annotation, *get_args(annotation)))
