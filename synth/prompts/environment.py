"""One sandboxed Jinja2 environment for prompts and expressions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2.runtime import Context
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from pydantic import BaseModel

__all__ = ["Role", "environment", "undefined_names"]


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """The environment; templates cannot reach attributes that start with an underscore, nor change what they are given."""
    from jinja2 import StrictUndefined
    from jinja2.runtime import Macro
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from pydantic import BaseModel

    class Environment(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            # Records hold data, and are most of what templates ask for: to check each is half of the time.
            if isinstance(obj, BaseModel) and attribute in _data_of(type(obj)):
                return getattr(obj, attribute)
            return super().getattr(obj, attribute)

        def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
            # A template's own macros, and the roles we gave it, need no looking into.
            if type(obj) is Macro or type(obj) is Role:
                kwargs.pop("_loop_vars", None)  # Jinja's own, as is `_block_vars`; for what takes a context
                kwargs.pop("_block_vars", None)
                return obj(*args, **kwargs)
            return super().call(context, obj, *args, **kwargs)

    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # `text is search("pattern")`, as users know it from Ansible.
    made.tests["search"] = lambda text, pattern: re.search(pattern, text) is not None
    made.tests["mentioning"] = _mentions
    return made


class Role:
    """What a template calls to write a message: `{% call user() %}…{% endcall %}`.

    Args:
        name: `system`, `user` or `assistant`.
        messages: where the message goes.
    """

    __slots__ = ("messages", "name")

    def __init__(self, name: str, messages: list[dict[str, Any]]) -> None:
        self.name = name
        self.messages = messages

    def __call__(self, caller: Callable[[], str]) -> str:
        self.messages.append({"role": self.name, "content": caller().strip()})
        return ""


@cache
def _data_of(kind: type[BaseModel]) -> frozenset[str]:
    """What may be read of a model without a further look: its fields, and properties of ours."""
    properties = {
        n for n, v in inspect.getmembers_static(kind) if isinstance(v, property) and not n.startswith(("_", "model_"))
    }
    return frozenset(kind.__pydantic_fields__) | properties


def _mentions(text: str | None, words: str | None) -> bool:
    """`text is mentioning(answer)`: whether words, or a number in whatever grouping, stand in a text by themselves."""
    if not text or not words:
        return False
    plain, wanted = (re.sub(r"(?<=\d),(?=\d{3})", "", t).lower() for t in (text, words.strip()))
    return re.search(rf"(?<![\w.]){re.escape(wanted)}(?!\w|\.\d)", plain) is not None


def undefined_names(source: str, known: dict[str, frozenset[str] | None]) -> list[tuple[str, int]]:
    """Names and attributes used in a template that `known` does not offer, with their line numbers from 1.

    Args:
        source: the template.
        known: names on offer; for each the attributes it has, or None where any goes.

    Raises:
        jinja2.TemplateSyntaxError: it does not parse.
    """
    from jinja2 import meta, nodes

    tree = environment().parse(source)
    free = meta.find_undeclared_variables(tree)
    names = [(n.name, n.lineno) for n in tree.find_all(nodes.Name) if n.name in free and n.name not in known]
    fields = [
        (f"{owner.name}.{access.attr}", access.lineno)
        for access in tree.find_all(nodes.Getattr)
        if isinstance(owner := access.node, nodes.Name)
        and owner.name in free
        and (offered := known.get(owner.name)) is not None
        and access.attr not in offered
    ]
    return list(dict.fromkeys(names + fields))
