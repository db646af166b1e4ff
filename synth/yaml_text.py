"""YAML of others: read within bounds, with the line of every value and of every mistake.

Everything that is written in YAML is read here: pipelines, profiles, mappings, options of a command. Bytes, depth and the
number of values are bounded, the last after aliases are expanded: nine aliases of nine aliases, eight times, are 43
million values in 400 bytes.
"""

from __future__ import annotations

import re
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import yaml

from synth.files import read_file

__all__ = ["MOST_BYTES", "MOST_DEPTH", "MOST_VALUES", "NotYaml", "Path", "Yaml", "load_yaml", "parse_yaml", "read_yaml"]

MOST_BYTES = 2**18
"""Of a text, and of what its aliases expand to; the largest file that is shipped has 2 % of it."""
MOST_VALUES = 10_000
"""Keys, values and lists, after aliases are expanded."""
MOST_DEPTH = 50
"""Lists and mappings within each other."""
_MOST_DIGITS = 400
"""Of a number: Python takes a time to convert one that grows with the square of its length."""

Path = tuple[str | int, ...]
"""Where a value stands in the file: keys and indices from the top."""

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp"))
_MERGE = _TAG + "merge"


class NotYaml(ValueError):
    """Why a text is not YAML, or is beyond the bounds.

    Attributes:
        what: the reason.
        line: where, from 1.
    """

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"line {line}: {what}")
        self.what = what
        self.line = line


class Yaml(NamedTuple):
    """What a text holds."""

    value: Any
    lines: dict[Path, int]
    """The line (from 1) of each value."""
    mistakes: list[tuple[int, str]]
    """Mistakes in its form (line, what), such as a key that is given twice; `value` is then not what was meant."""


class _Size(NamedTuple):
    """Of a value with all that is in it."""

    values: int
    letters: int
    depth: int


class _Loader(yaml.SafeLoader):
    """Counts while it reads, so that nothing beyond the bounds is built.

    Booleans are those of YAML 1.2, `true` and `false` alone. In YAML 1.1 `on`, `off`, `yes` and `no` are booleans too.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._open: list[tuple[str | None, _Size]] = []
        self._sizes: dict[str, _Size] = {}
        self._values = 0
        self._letters = 0

    def get_event(self) -> Any:
        event = super().get_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.CollectionStartEvent):
            self._open.append((event.anchor, _Size(1, 0, 1)))
            self._add(event, _Size(1, 0, 0), within=False)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = self._open.pop()
            self._close(anchor, size)
            if self._open:
                self._hold(size)
        elif isinstance(event, yaml.ScalarEvent):
            size = _Size(1, len(event.value), 0)
            self._add(event, size)
            self._close(event.anchor, size)
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in self._open):
                self._refuse(event, f"*{event.anchor} stands within &{event.anchor}: a circle")
            self._add(event, self._sizes.get(event.anchor or "", _Size(1, 0, 0)))
        return event

    def _close(self, anchor: str | None, size: _Size) -> None:
        if anchor is not None:
            self._sizes[anchor] = size

    def _hold(self, size: _Size) -> None:
        anchor, own = self._open[-1]
        depth = max(own.depth, size.depth + 1)
        self._open[-1] = anchor, _Size(own.values + size.values, own.letters + size.letters, depth)

    def _add(self, event: Any, size: _Size, *, within: bool = True) -> None:
        self._values += size.values
        self._letters += size.letters
        if within and self._open:
            self._hold(size)
        if len(self._open) + size.depth > MOST_DEPTH:
            self._refuse(event, f"lists and mappings are more than {MOST_DEPTH} deep")
        if self._values > MOST_VALUES or self._letters > MOST_BYTES:
            more = f"{MOST_VALUES:,} values" if self._values > MOST_VALUES else f"{MOST_BYTES:,} letters"
            self._refuse(event, f"there are more than {more}, with aliases expanded")

    def _refuse(self, event: Any, what: str) -> None:
        raise yaml.MarkedYAMLError(problem=what, problem_mark=event.start_mark)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in some if tag != f"{_TAG}bool"]
    for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def load_yaml(path: FilePath) -> Any:
    """The value of a YAML file.

    Raises:
        NotYaml: it is not YAML, has a mistake in its form, or is beyond the bounds.
        UserError: it cannot be read, or is no regular file.
    """
    return read_yaml(read_file(path, MOST_BYTES))


def read_yaml(text: bytes | str) -> Any:
    """The value of a YAML text; errors as for `load_yaml`."""
    found = parse_yaml(text)
    if found.mistakes:
        line, what = found.mistakes[0]
        raise NotYaml(what, line)
    return found.value


def parse_yaml(text: bytes | str, *, words_only: bool = False) -> Yaml:
    """Read a YAML text, with all its mistakes.

    Args:
        text: of one document.
        words_only: whether a key that is not text is a mistake.

    Raises:
        NotYaml: it is not YAML, or is beyond the bounds.
    """
    if len(text) > MOST_BYTES:
        raise NotYaml(f"the text has more than {MOST_BYTES:,} bytes", 1)
    if isinstance(text, bytes):
        content = text
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise NotYaml("this is not UTF-8 text", content.count(b"\n", 0, error.start) + 1) from None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        what = f"there is a control character (#x{ord(text[error.position]):02x})"
        raise NotYaml(what, text.count("\n", 0, error.position) + 1) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ": ".join(part for part in (error.context, error.problem) if part)
        raise NotYaml(what, mark.line + 1 if mark else 1) from None
    builder = _Builder(loader, words_only=words_only)
    value = builder.build(root, ()) if root is not None else None
    return Yaml(value, builder.lines, builder.mistakes)


class _Builder:
    """Makes values of nodes, which are few and not deep."""

    def __init__(self, loader: _Loader, *, words_only: bool) -> None:
        self._loader = loader
        self._words_only = words_only
        self.lines: dict[Path, int] = {}
        self.mistakes: list[tuple[int, str]] = []

    def build(self, node: yaml.Node, path: Path) -> Any:
        """The value of a node that stands at a path."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[Any, Any]:
        merged: dict[Any, Any] = {}
        own: dict[Any, Any] = {}
        given: set[Any] = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            merges = key_node.tag == _MERGE
            key = "<<" if merges else self._scalar(key_node)
            if self._words_only and not isinstance(key, str):
                self.mistakes.append((line, f"the key {key!r} is not a word: put it in quotes"))
                continue
            if key in given:
                self.mistakes.append((line, f"{key!r} is given twice: leave one of them"))
            given.add(key)
            if merges:
                merged.update(self._merged(value_node, path))
                continue
            self.lines[(*path, key)] = line
            own[key] = self.build(value_node, (*path, key))
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: Path) -> dict[Any, Any]:
        """What `<<` takes over; of several mappings the first goes before."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found: dict[Any, Any] = {}
        for source in reversed(sources):
            if isinstance(source, yaml.MappingNode):
                found.update(self._mapping(source, path))
            else:
                self.mistakes.append((source.start_mark.line + 1, "'<<' takes a mapping: write <<: *NAME"))
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _SCALARS:
            kind = node.tag.replace(_TAG, "!!")
            what = f"a {kind[2:]} cannot be a key" if kind in {"!!map", "!!seq"} else f"the tag {kind} is not read"
            self.mistakes.append((line, f"{what}: write a text, a number, a list or a mapping"))
            return None
        if node.tag in {f"{_TAG}int", f"{_TAG}float"} and len(node.value) > _MOST_DIGITS:
            self.mistakes.append((line, f"a number has more than {_MOST_DIGITS} digits: put it in quotes"))
            return None
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError):  # of a tag that does not fit
            kind = node.tag.removeprefix(_TAG)
            self.mistakes.append((line, f"{node.value[:40]!r} is no {kind}: put it in quotes, or correct it"))
            return None
