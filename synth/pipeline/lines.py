"""YAML with line numbers."""

from __future__ import annotations

import re
from typing import Any

import yaml

__all__ = ["Path", "load_with_lines"]

Path = tuple[str | int, ...]
"""Where a value stands in the file: keys and indices from the top."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans: `true` and `false` alone. In YAML 1.1 `on`, `off`, `yes` and `no` are booleans too."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in some if tag != "tag:yaml.org,2002:bool"]
    for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_with_lines(text: str) -> tuple[Any, dict[Path, int], list[tuple[int, str]]]:
    """The data of a YAML text; the line (from 1) of each value; and mistakes in its form, as (line, what).

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    lines: dict[Path, int] = {}
    mistakes: list[tuple[int, str]] = []
    root = yaml.compose(text, Loader=_Loader)
    loader = _Loader("")

    def build(node: yaml.Node, path: Path) -> Any:
        lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            made: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = loader.construct_object(key_node, deep=True)
                line = key_node.start_mark.line + 1
                if not isinstance(key, str):
                    mistakes.append((line, f"the key {key!r} is not a word: put it in quotes"))
                    continue
                if key in made:
                    mistakes.append((line, f"{key!r} is given twice: leave one of them"))
                lines[(*path, key)] = line
                made[key] = build(value_node, (*path, key))
            return made
        if isinstance(node, yaml.SequenceNode):
            return [build(item, (*path, i)) for i, item in enumerate(node.value)]
        return loader.construct_object(node, deep=True)

    return (build(root, ()) if root is not None else None), lines, mistakes
