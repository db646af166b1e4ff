"""Prompt files."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synth.errors import PromptError, UserError
from synth.files import read_file
from synth.prompts.called import Role
from synth.prompts.environment import compile_tree, keys_read, reason, template_tree, undefined_names
from synth.prompts.work import begin, end
from synth.reach import Reach

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Prompt", "load_prompt", "shipped_prompts"]

_FOLDER = Path(__file__).parent
_HEADER = re.compile(r"\A\{#-?(.*?)-?#\}", re.DOTALL)
_FIELDS = ("version", "purpose", "source")
MOST_BYTES = 2**18
"""Of a prompt file."""
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
        """The pieces of it that are the same for all values."""
        from jinja2.nodes import TemplateData

        return tuple(piece.data for piece in template_tree(self.text).find_all(TemplateData))

    def unknown_variables(self, known: Mapping[str, frozenset[str] | None]) -> list[tuple[str, int]]:
        """Variables it uses that are not on offer, with line numbers.

        Raises:
            UserError: it does not compile; says in which line.
        """
        return undefined_names(template_tree(self.text), {**known, **dict.fromkeys(_ROLES)})

    def keys_read(self, owners: Collection[str], field: str) -> list[tuple[str, int]]:
        """Keys it reads of the mapping `field` of these variables, as in `problem.meta.topic`, with line numbers."""
        return keys_read(template_tree(self.text), owners, field)

    def check(self) -> None:
        """Find out whether it can be filled in, as far as that can be seen without anything to fill it with.

        Raises:
            UserError: it does not compile; says in which line.
        """
        _compile(self.text)

    def stray_text(self) -> list[tuple[str, int]]:
        """What would never be sent, as (text, line): words outside of every message. A template of nothing else makes none."""
        from jinja2 import nodes

        tree = template_tree(self.text)
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
            UserError: it uses what it was not given, fails or takes too much work, or makes no message.
        """
        messages: list[dict[str, Any]] = []
        try:
            template, common = _compile(self.text)
        except UserError as error:
            what = f"the prompt does not compile ({error.where}): {error.what}"
            raise UserError(what, where=self.name, fix=error.fix) from error
        known = {**common, **variables, **{role: Role(role, messages) for role in _ROLES}}
        # What `Template.new_context` makes, less its look through all globals for each prompt.
        context = template.environment.context_class(template.environment, known, None, {})
        before = begin()
        try:
            deque(template.root_render_func(context), maxlen=0)  # it writes messages
        except Exception as error:
            what, fix = f"the prompt cannot be filled in: {reason(error)}", "docs/expressions.md says what it can do"
            raise PromptError(what, where=self.name, fix=fix) from error
        finally:
            end(before)
            context.vars.clear()  # its macros know the context: a circle that would wait for the garbage collector
        if not messages:
            raise PromptError(
                "the prompt makes no message", where=self.name, fix="write {% call user() %}…{% endcall %}"
            )
        return tuple(messages)


@lru_cache(maxsize=256)
def _compile(text: str) -> tuple[Template, dict[str, Any]]:
    """A template, and what every template knows."""
    template = compile_tree(template_tree(text))
    return template, dict(template.globals)


def shipped_prompts() -> list[str]:
    """Names of the prompts that come with the package."""
    return sorted(p.relative_to(_FOLDER).with_suffix("").as_posix() for p in _FOLDER.rglob("*.j2"))


def _fields(header: str) -> dict[str, str]:
    """What the comment at the beginning of a prompt says, by field; a field ends at the next."""
    fields: dict[str, list[str]] = {}
    of = ""
    for line in header.splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() in _FIELDS:
            of, line = name.strip(), rest  # noqa: PLW2901
            fields[of] = []
        fields.setdefault(of, []).extend(line.split())
    return {name: " ".join(words) for name, words in fields.items() if name}


def load_prompt(name: str, *, reach: Reach | None = None) -> Prompt:
    """A shipped prompt by its name, or the user's own file.

    Args:
        name: `rationale/solve`, or a path that ends in `.j2`.
        reach: which files may be named; None: any, from the working folder.

    Raises:
        UserError: there is no such prompt, it may not be named, it cannot be read, or it lacks its header.
    """
    from synth.bounded import nearest

    known = shipped_prompts()
    own = name.endswith(".j2")
    path = (reach.find(name) if reach is not None else Path(name)) if own else _FOLDER / f"{name}.j2"
    if not path.is_file() or not (own or name in known):
        near = nearest(name, known)
        fix = (
            f"did you mean {near[0]!r}?"
            if near
            else f"shipped prompts: {', '.join(known)}; a file of yours ends in .j2"
        )
        raise UserError(f"no such prompt: {name}", fix=fix)
    try:
        text = read_file(path, MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError("the prompt is not UTF-8 text", where=str(path), fix="save it as UTF-8") from error
    header = _HEADER.match(text)
    fields = _fields(header[1]) if header else {}
    if "version" not in fields:
        raise UserError(
            "the prompt has no version",
            where=str(path),
            fix="begin the file with {#- version: 1\n    purpose: … -#}",
        )
    return Prompt(
        name=name, text=text, version=fields["version"], purpose=fields.get("purpose", ""), source=fields.get("source")
    )
