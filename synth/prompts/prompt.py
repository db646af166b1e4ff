"""Prompt files."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synth.errors import UserError
from synth.prompts.environment import Role, environment, undefined_names

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Prompt", "load_prompt", "shipped_prompts"]

_FOLDER = Path(__file__).parent
_HEADER = re.compile(r"\A\{#-?(.*?)-?#\}", re.DOTALL)
_FIELD = re.compile(
    r"^\s*(version|purpose|source)\s*:\s*(.*(?:\n(?!\s*(?:version|purpose|source)\s*:).*)*)", re.MULTILINE
)
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Prompt:
    """A prompt template.

    Attributes:
        name: path below the shipped prompts without its ending, or the path of the user's own file.
        version: as its header says; raised when its meaning changes.
        purpose: what it is for.
        source: the paper it follows, where it does.
    """

    name: str
    text: str = field(repr=False)
    version: str
    purpose: str
    source: str | None = None

    @cached_property
    def label(self) -> str:
        """Name, version and content hash, as the ledger has it."""
        return f"{self.name}/{self.version}#{blake2b(self.text.encode(), digest_size=4).hexdigest()}"

    @cached_property
    def own_words(self) -> tuple[str, ...]:
        """The pieces of it that are the same whatever is filled in."""
        from jinja2.nodes import TemplateData

        return tuple(piece.data for piece in environment().parse(self.text).find_all(TemplateData))

    def unknown_variables(self, known: Mapping[str, frozenset[str] | None]) -> list[tuple[str, int]]:
        """Variables it uses that are not on offer, with line numbers."""
        return undefined_names(self.text, {**known, **dict.fromkeys(_ROLES)})

    def stray_text(self) -> list[tuple[str, int]]:
        """What would never be sent, as (text, line): words outside of every message. A template of nothing else makes none."""
        from jinja2 import nodes

        tree = environment().parse(self.text)
        within = {
            id(piece)
            for block in tree.find_all((nodes.CallBlock, nodes.Macro))
            for piece in block.find_all(nodes.TemplateData)
        }
        return [
            (" ".join(piece.data.split()), piece.lineno)
            for piece in tree.find_all(nodes.TemplateData)
            if id(piece) not in within and piece.data.strip()
        ]

    def render(self, **variables: Any) -> tuple[dict[str, Any], ...]:
        """The messages, in order.

        Raises:
            UserError: the template uses what it was not given, or makes no message.
        """
        from jinja2 import TemplateError

        messages: list[dict[str, Any]] = []
        try:
            template, common = _compile(self.text)
            known = {**common, **variables, **{role: Role(role, messages) for role in _ROLES}}
            # What `Template.new_context` makes, less its look through all globals for each prompt.
            context = template.environment.context_class(template.environment, known, template.name, template.blocks)
            deque(template.root_render_func(context), maxlen=0)  # it writes messages
            context.vars.clear()  # its macros know the context: a circle that would wait for the garbage collector
        except TemplateError as error:
            raise UserError(f"the prompt cannot be filled in: {error}", where=self.name) from error
        if not messages:
            raise UserError(
                "the prompt makes no message", where=self.name, remedy="write {% call user() %}…{% endcall %}"
            )
        return tuple(messages)


@lru_cache(maxsize=256)
def _compile(text: str) -> tuple[Template, dict[str, Any]]:
    """A template, and what every template knows."""
    template = environment().from_string(text)
    return template, dict(template.globals)


def shipped_prompts() -> list[str]:
    """Names of the prompts that come with the package."""
    return sorted(p.relative_to(_FOLDER).with_suffix("").as_posix() for p in _FOLDER.rglob("*.j2"))


def load_prompt(name: str, *, beside: Path | None = None) -> Prompt:
    """A shipped prompt by its name, or the user's own file.

    Args:
        name: `rationale/solve`, or a path that ends in `.j2`.
        beside: the folder from which a relative path is read.

    Raises:
        UserError: there is no such prompt, or it lacks its header.
    """
    from difflib import get_close_matches

    path = (beside or Path()) / name if name.endswith(".j2") else _FOLDER / f"{name}.j2"
    if not path.is_file():
        near = get_close_matches(name, shipped_prompts(), n=1)
        remedy = (
            f"did you mean {near[0]!r}?"
            if near
            else f"shipped prompts: {', '.join(shipped_prompts())}; a file of yours ends in .j2"
        )
        raise UserError(f"no such prompt: {name}", remedy=remedy)
    text = path.read_text(encoding="utf-8")
    header = _HEADER.match(text)
    fields = {k: " ".join(v.split()) for k, v in _FIELD.findall(header[1])} if header else {}
    if "version" not in fields:
        raise UserError(
            "the prompt has no version",
            where=str(path),
            remedy="begin the file with {#- version: 1\n    purpose: … -#}",
        )
    return Prompt(
        name=name, text=text, version=fields["version"], purpose=fields.get("purpose", ""), source=fields.get("source")
    )
