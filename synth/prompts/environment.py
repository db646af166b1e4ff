"""One Jinja2 environment for prompts and expressions, untrusted ones too: what they see, what they can call, and how much.

They see data: of a record its fields and our own properties, of a mapping its keys. They call roles, macros, functions that we
give, and listed methods of text, lists and mappings. Everything else is undefined, in any way it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from synth.errors import UserError
from synth.prompts.work import Refused

if TYPE_CHECKING:
    from jinja2 import Template, nodes

    from synth.prompts.sandbox import Environment

_T = TypeVar("_T")

__all__ = [
    "compile_tree",
    "environment",
    "keys_read",
    "reason",
    "shown",
    "template_tree",
    "undefined_names",
    "value_tree",
]

TEMPLATE_LETTERS = 1_000_000
"""Characters of a prompt file."""
EXPRESSION_LETTERS = 20_000
"""Characters of an expression."""


@cache
def environment() -> Environment:
    """The environment, made when something is first compiled: Jinja takes a while to load."""
    from synth.prompts.sandbox import make_environment

    return make_environment()


def template_tree(source: str) -> nodes.Template:
    """A template, parsed and checked.

    Raises:
        UserError: it does not compile; says in which line, and what to do.
    """
    return _parsed(source, TEMPLATE_LETTERS, lambda: environment().parse(source))


def value_tree(source: str) -> nodes.Template:
    """A template whose only content is an expression, parsed and checked.

    Raises:
        UserError: it does not compile.
    """
    from jinja2 import nodes
    from jinja2.exceptions import TemplateSyntaxError
    from jinja2.parser import Parser

    def parse() -> nodes.Template:
        parser = Parser(environment(), _ESCAPE.sub(_whole, source), state="variable")
        value = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("there is text after the end of the expression", parser.stream.current.lineno)
        return nodes.Template([nodes.Assign(nodes.Name("result", "store", lineno=1), value, lineno=1)], lineno=1)

    return _parsed(source, EXPRESSION_LETTERS, parse)


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _whole(found: re.Match[str]) -> str:
    """A backslash with what follows it; one that begins no escape of Python, as in `search("\\[")`, is itself. Python warns of such."""
    return found[0] if found[1] in "\n\\'\"abfnrtv01234567xNuU" else f"\\{found[0]}"


def _parsed(source: str, most: int, parse: Callable[[], nodes.Template]) -> nodes.Template:
    from synth.prompts.rewrite import check_tree

    def checked() -> nodes.Template:
        if len(source) > most:
            raise Refused(f"it has {len(source):,} characters, and may have {most:,}")
        tree = parse()
        tree.set_environment(environment())
        check_tree(tree)
        return tree

    return _compiling(checked)


def compile_tree(tree: nodes.Template) -> Template:
    """A template that has been parsed and checked, ready to be filled in; the tree is used up.

    Raises:
        UserError: it does not compile.
    """
    return _compiling(lambda: environment().from_string(tree))


def _compiling(work: Callable[[], _T]) -> _T:
    """What a step of compiling gives; any error in it is a mistake in the template."""
    from jinja2.exceptions import TemplateSyntaxError

    try:
        return work()
    except TemplateSyntaxError as error:
        raise UserError(error.message or "it is not Jinja2", where=f"line {error.lineno}", fix=_REMEDY) from error
    except SyntaxError as error:  # of Python, to which it is compiled: 20 loops within each other, a keyword twice
        raise UserError(f"it is nested too deeply, or not Jinja2: {error.msg}", fix=_REMEDY) from error
    except Exception as error:
        raise UserError(reason(error), fix=_REMEDY) from error


_REMEDY = "docs/expressions.md says what can stand in a template or an expression"


def reason(error: BaseException) -> str:
    """Why an evaluation ended, in a few words."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply, or calls itself without an end"
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    if isinstance(error, OverflowError):
        return "a number is too large"
    return f"{error}"[:400] or type(error).__name__


def shown(source: str) -> str:
    """An expression as messages have it: of a long one its beginning."""
    return repr(source) if len(source) <= 200 else f"{source[:200]!r}…"


_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
"""Of a mapping these names are methods, and no keys."""


def undefined_names(tree: nodes.Template, known: Mapping[str, frozenset[str] | None]) -> list[tuple[str, int]]:
    """Names used in a template that `known` does not offer, and attributes (`a.b` and `a['b']` alike), with line numbers from 1.

    Args:
        tree: the template, parsed.
        known: names on offer; for each the attributes it has, or None where any goes.
    """
    from jinja2 import nodes

    free = _compiling(lambda: _free_names(tree))
    names = [(n.name, n.lineno) for n in tree.find_all(nodes.Name) if n.name in free and n.name not in known]
    fields = [
        (f"{owner}.{attribute}", access.lineno)
        for access in tree.find_all((nodes.Getattr, nodes.Getitem))
        for owner, attribute in _named(access)
        if owner.split(".")[0] in free and (offered := known.get(owner)) is not None and attribute not in offered
    ]
    return list(dict.fromkeys(names + fields))


def keys_read(tree: nodes.Template, owners: Collection[str], field: str) -> list[tuple[str, int]]:
    """Keys of a mapping that a template reads, with line numbers from 1: `key` of `owner.field.key`, `owner['field']['key']` and
    `owner.field.get('key')`. Those that are known only when it is evaluated are left out.

    Args:
        tree: the template, parsed.
        owners: the variables that have the mapping.
        field: the name of the mapping, such as `meta`.
    """
    from jinja2 import nodes

    free = _compiling(lambda: _free_names(tree))
    owned = {owner for owner in owners if owner in free}

    def is_mapping(part: nodes.Expr) -> bool:
        return any(owner in owned and attribute == field for owner, attribute in _named(part))

    found = []
    for access in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)):
        if isinstance(access, nodes.Getattr) and is_mapping(access.node) and access.attr not in _MAPPING_METHODS:
            found.append((access.attr, access.lineno))
        elif isinstance(access, nodes.Getitem) and is_mapping(access.node) and isinstance(access.arg, nodes.Const):
            found += [(access.arg.value, access.lineno)] if isinstance(access.arg.value, str) else []
        elif isinstance(access, nodes.Call) and isinstance(access.node, nodes.Getattr) and access.node.attr == "get":
            key = access.args[0] if access.args else None
            if is_mapping(access.node.node) and isinstance(key, nodes.Const) and isinstance(key.value, str):
                found.append((key.value, access.lineno))
    return list(dict.fromkeys(found))


def _named(access: nodes.Expr) -> Iterator[tuple[str, str]]:
    """The name and the attribute of `a.b` or `a['b']`; none where either is known only when it is evaluated, or is a number."""
    from jinja2 import nodes

    if isinstance(access, nodes.Getattr) and isinstance(access.node, nodes.Name):
        yield access.node.name, access.attr
    elif (
        isinstance(access, nodes.Getattr)
        and isinstance(access.node, nodes.Getattr)
        and isinstance(access.node.node, nodes.Name)
    ):
        yield f"{access.node.node.name}.{access.node.attr}", access.attr
    elif (
        isinstance(access, nodes.Getitem)
        and isinstance(access.node, nodes.Name)
        and isinstance(access.arg, nodes.Const)
    ):
        yield from [(access.node.name, access.arg.value)] if isinstance(access.arg.value, str) else []


def _free_names(tree: nodes.Template) -> set[str]:
    """The names that a template takes from outside."""
    from jinja2.meta import TrackingCodeGenerator

    from synth.prompts.sandbox import Generator

    class Names(TrackingCodeGenerator, Generator):
        """As `meta.find_undeclared_variables`, and evaluates nothing."""

    names = Names(environment())
    names.visit(tree)
    return names.undeclared_identifiers
