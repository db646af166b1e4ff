"""Templates as they are checked before they are compiled, and rewritten so that their work is counted."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.visitor import NodeTransformer

from synth.prompts.conditions import TESTS, searched
from synth.prompts.filters import FILTERS
from synth.prompts.patterns import check_pattern
from synth.prompts.values import charged, joined, listed, paid_for, sliced
from synth.prompts.work import Refused, spend

__all__ = ["INTERNAL", "bounded", "check_tree", "walk", "weight_of"]

MOST_NODES = 10_000
"""Parts of a template: names, values, operators, tags. Between two tags all text is one."""
MOST_DEPTH = 100
"""Parts within each other."""

_COMMON = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Assign, nodes.Name, nodes.NSRef, nodes.Const, nodes.Tuple, nodes.List,
    nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr,
    nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod,
    nodes.Pow, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos,
)  # fmt: skip
_TAGS = {
    nodes.For: "for", nodes.If: "if", nodes.Macro: "macro", nodes.CallBlock: "call", nodes.AssignBlock: "set",
    nodes.FilterBlock: "filter", nodes.With: "with",
}  # fmt: skip
_ALLOWED = frozenset({*_COMMON, *_TAGS})


def walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, int]]:
    """A tree's nodes, each with how deep it lies; without calling itself, so of any depth."""
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())


def check_tree(tree: nodes.Node) -> None:
    """Find out whether a template asks for what there is, and is of a size to be compiled.

    Raises:
        TemplateSyntaxError: it does not; says what and in which line.
    """
    for count, (node, depth) in enumerate(walk(tree)):
        line = getattr(node, "lineno", 1)
        if count >= MOST_NODES:
            raise TemplateSyntaxError(f"it has more than {MOST_NODES:,} parts", line)
        if depth > MOST_DEPTH:
            raise TemplateSyntaxError(f"it is nested more than {MOST_DEPTH} deep", line)
        if type(node) not in _ALLOWED:
            tag = type(node).__name__.lower()
            raise TemplateSyntaxError(f"{tag} is not known here; the tags are {', '.join(_TAGS.values())}", line)
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("a for cannot be recursive; write a macro that calls itself", line)
        for kind, known, word in ((nodes.Filter, FILTERS, "filter"), (nodes.Test, TESTS, "test")):
            if isinstance(node, kind) and node.name not in known:
                near = get_close_matches(node.name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
                raise TemplateSyntaxError(f"there is no {word} {node.name!r}; {hint}", line)
        for pattern in _patterns(node):
            try:
                check_pattern(pattern)
            except Refused as refused:
                raise TemplateSyntaxError(str(refused), line) from refused


def _patterns(node: nodes.Node) -> Iterator[str]:
    """Patterns that a node gives as they are: to `is search`, and to the function `match` of mappings."""
    given: Any = None
    if isinstance(node, nodes.Test) and node.name == "search" and node.args:
        given = node.args[0]
    elif (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name == "match"
        and len(node.args) > 1
    ):
        given = node.args[1]
    elif isinstance(node, nodes.Filter) and len(node.args) > 1:
        names = [a.value if isinstance(a, nodes.Const) else None for a in node.args]
        given = next((a for n, a in zip(names, node.args[1:], strict=False) if n == "search"), None)
    if isinstance(given, nodes.Const) and isinstance(given.value, str):
        yield given.value


def _each(values: Any, weight: int) -> Any:
    """What a loop goes through, paid for: so many items, and a body of so many parts."""
    if type(values) is not tuple:
        values = listed(values)
    if values:
        spend(len(values) * weight)
    return values


INTERNAL = {
    "(each)": _each,
    "(made)": charged,
    "(join)": joined,
    "(slice)": sliced,
    "(compared)": paid_for,
    "(searched)": searched,
}
"""What rewritten templates call: filters, by names that no template can write."""

_ORDERED = frozenset({"eq", "ne", "lt", "lteq", "gt", "gteq"})


def bounded(tree: nodes.Template) -> nodes.Template:
    """A template whose loops, macros, comparisons and new values are counted, as it is compiled."""
    rewritten: nodes.Template = _Counting().visit(tree)
    return rewritten


def weight_of(parts: list[nodes.Node]) -> int:
    """How many parts there are in some."""
    return 1 + sum(1 for part in parts for _ in walk(part))


def _filter(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _constant(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Const):
        return True
    return isinstance(node, (nodes.List, nodes.Tuple)) and all(isinstance(i, nodes.Const) for i in node.items)


class _Counting(NodeTransformer):
    def get_visitor(self, node: nodes.Node) -> Any:
        """How a node is rewritten; None: as it is, with its parts rewritten."""
        ways: dict[type[nodes.Node], Any] = {
            nodes.For: self._loop,
            nodes.Compare: self._compare,
            nodes.Concat: self._concat,
            nodes.Getitem: self._slice,
            **dict.fromkeys((nodes.List, nodes.Tuple, nodes.Dict), self._made),
            **dict.fromkeys((nodes.Call, nodes.Filter, nodes.Test), self._unpacking),
        }
        return ways.get(type(node))

    def _loop(self, node: nodes.For) -> nodes.Node:
        weight = weight_of([*node.body, *([node.test] if node.test else [])])
        self.generic_visit(node)
        node.iter = _filter(node.iter, "(each)", nodes.Const(weight, lineno=node.lineno))
        return node

    def _compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        sides = [node.expr, *(o.expr for o in node.ops)]
        if all(o.op in _ORDERED for o in node.ops) and sum(not isinstance(s, nodes.Const) for s in sides) <= 1:
            return node  # it ends where the constant does
        if not _constant(node.expr):
            node.expr = _filter(node.expr, "(compared)")
        for operand in node.ops:
            if not _constant(operand.expr):
                operand.expr = _filter(operand.expr, "(compared)" if operand.op in _ORDERED else "(searched)")
        return node

    def _made(self, node: nodes.Expr) -> nodes.Node:
        self.generic_visit(node)
        return node if _constant(node) or getattr(node, "ctx", "load") != "load" else _filter(node, "(made)")

    def _concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.Tuple(node.nodes, "load", lineno=node.lineno), "(join)")

    def _slice(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        limits = (node.arg.start, node.arg.stop, node.arg.step)
        return _filter(node.node, "(slice)", *(n or nodes.Const(None, lineno=node.lineno) for n in limits))

    def _unpacking(self, node: nodes.Call | nodes.Filter | nodes.Test) -> nodes.Node:
        self.generic_visit(node)
        for name in ("dyn_args", "dyn_kwargs"):
            if (given := getattr(node, name)) is not None:
                setattr(node, name, _filter(given, "(each)", nodes.Const(1, lineno=node.lineno)))
        return node
