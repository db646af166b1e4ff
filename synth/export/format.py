"""What a format is: the rows of one kind of training, from the records they are made of to the trainers that read them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel

from synth.export.options import ExportOptions
from synth.store.database import Store

__all__ = ["Format", "LeftOut", "Need", "Reshaped", "thought_place"]


class LeftOut:
    """Records an export could have made rows of and did not: how many, by reason, with one of them; and rows that were changed."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.example: dict[str, str] = {}
        self.changed: Counter[str] = Counter()
        """Rows that are there and not as their records have it, by what was done."""

    def add(self, record: str, reason: str) -> None:
        """Count a record that makes no row."""
        self.reasons[reason] += 1
        self.example.setdefault(reason, record)

    def lines(self) -> list[str]:
        """A line for each reason, and for each change."""
        left = [f"{n:,} left out: {why} (such as {self.example[why]})" for why, n in self.reasons.most_common()]
        return left + [f"{n:,} {what}" for what, n in self.changed.most_common() if n]


class Need(NamedTuple):
    """What a format is made of."""

    what: str
    """One of them, in words."""
    made: str
    """SQL: how many there are, whether they are kept or not."""
    kept: str
    """SQL: how many of these are kept."""
    table: str
    """The table they are in."""
    maker: str
    """What makes them, in words."""


class Reshaped(NamedTuple):
    """How a trainer other than TRL has conversational rows."""

    row: type[BaseModel]
    """Their type."""
    of: Callable[[Any], BaseModel]
    """Makes one of a row as TRL reads it."""


class Format(ABC):
    """One kind of training rows: `--to NAME`.

    Formats of other packages are classes registered under the entry point `synth.formats`; `synth.export.formats` lists all.
    """

    name: ClassVar[str]
    """What `--to` calls it, and its files."""
    about: ClassVar[str]
    """What its rows are, in a few words."""
    options: ClassVar[frozenset[str]] = frozenset()
    """The fields of `ExportOptions` that apply to it, besides those that apply to all."""
    trainers: ClassVar[frozenset[str]] = frozenset({"trl"})
    """The trainers it can be written for."""
    why_not: ClassVar[Mapping[str, str]] = {}
    """By trainer: why it cannot be written for this one."""
    row: ClassVar[type[BaseModel]]
    """The type of its rows as TRL reads them."""
    variants: ClassVar[Mapping[str, type[BaseModel]]] = {}
    """Its other row types, by the name of their JSON Schema."""
    reshaped: ClassVar[Mapping[str, Reshaped]] = {}
    """By trainer: how it has conversational rows. Plain rows have the same columns everywhere."""
    thoughts_in_prompt: ClassVar[bool] = False
    """Whether a thought stands in the prompt, where it can only be in tags."""
    axolotl_reads_thoughts: ClassVar[bool] = False
    """Whether Axolotl reads the thought from a field of its message."""

    @abstractmethod
    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        """The rows, in order of source, problem and record."""

    @abstractmethod
    def need(self, options: ExportOptions) -> Need:
        """What the run must have."""

    def check(self, options: ExportOptions) -> None:
        """Raise for options of this format that exclude each other.

        Raises:
            UserError: with what to leave out.
        """

    def settled(self, options: ExportOptions) -> ExportOptions:
        """The options with the defaults of this format."""
        return options

    def conversational(self, options: ExportOptions) -> bool:
        """Whether texts are messages, and not strings."""
        return options.layout != "plain"

    def own_row(self, options: ExportOptions) -> type[BaseModel]:  # noqa: ARG002
        """The type of the rows as TRL reads them, with these options."""
        return self.row

    def absent(self, options: ExportOptions) -> frozenset[str]:  # noqa: ARG002
        """Columns of the row type that these options leave out."""
        return frozenset()

    def row_type(self, options: ExportOptions) -> type[BaseModel]:
        """The type of the rows an export writes."""
        if self.conversational(options) and options.trainer in self.reshaped:
            return self.reshaped[options.trainer].row
        return self.own_row(options)

    def as_read(self, row: BaseModel, options: ExportOptions) -> BaseModel:
        """A row as its trainer reads it."""
        if self.conversational(options) and options.trainer in self.reshaped:
            return self.reshaped[options.trainer].of(row)
        return row

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ARG002
        """How Axolotl reads a file (keys of an entry of `datasets`), and what it is to do (keys of the whole configuration)."""
        return {}, {}

    def llama_factory(self, options: ExportOptions) -> dict[str, Any]:  # noqa: ARG002
        """The entry of LLaMA-Factory's `dataset_info.json`, without the name of the file."""
        return {}


def thought_place(format_: Format, options: ExportOptions) -> Literal["reasoning_content", "thinking", "tags", "drop"]:
    """Where the thoughts of an export stand, with `auto` decided."""
    if options.thinking != "auto":
        return options.thinking
    if format_.thoughts_in_prompt or options.prefix != "none":  # a begun reply has its thought in its text
        return "tags"
    # Axolotl's pairs and LLaMA-Factory's and OpenAI's lines have no field for it.
    reads_field = options.trainer == "trl" or (options.trainer == "axolotl" and format_.axolotl_reads_thoughts)
    return "reasoning_content" if format_.conversational(options) and reads_field else "tags"
