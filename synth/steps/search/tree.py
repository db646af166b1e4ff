"""A search tree while it grows, and what a search may spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from synth.models import Completion, Model, Request
from synth.records import Node, Problem, Rationale, UnitRecord
from synth.steps.continuing import Beginning
from synth.verify import Verdict

if TYPE_CHECKING:
    from synth.steps.search.options import SearchOptions
    from synth.steps.unit import Unit

__all__ = ["Branch", "Budget", "End", "Growth", "reward_of"]


class Branch:
    """A node of the tree while it grows. The root is the problem itself: it has no record.

    Args:
        node: its record, as it was when it was made.
        parent: the branch above it.
        beginning: the solution up to here, where it can be continued.
    """

    def __init__(
        self, node: Node | None = None, parent: Branch | None = None, beginning: Beginning | None = None
    ) -> None:
        self.node = node
        self.parent = parent
        self.beginning = beginning
        self.children: dict[str, Branch] = {}
        """By their words: equal steps after the same steps are one."""
        self.visits = 0
        """How many rewards were backed up through it: N."""
        self.total = 0.0
        """Their sum: W."""
        self.value: float | None = None
        """What an evaluator says of it alone."""
        self.expanded = False
        self.terminal = node is not None and node.terminal
        self.answer = node.answer if node is not None else None
        self.abandoned = False
        """Whether the search does not continue from it, because its value is too low or it is too deep."""
        self._closed = False

    @property
    def path(self) -> tuple[Branch, ...]:
        """The branches from the first step down to this one; empty for the root."""
        found: list[Branch] = []
        branch: Branch | None = self
        while branch is not None and branch.node is not None:
            found.append(branch)
            branch = branch.parent
        return tuple(found[::-1])

    @property
    def depth(self) -> int:
        """Of the first step 0, of the root -1."""
        return self.node.depth if self.node is not None else -1

    @property
    def texts(self) -> list[str]:
        """The steps down to this one."""
        return [b.node.text for b in self.path if b.node is not None]

    @property
    def mean(self) -> float | None:
        """Q = W / N: the mean of the rewards backed up through it."""
        return self.total / self.visits if self.visits else None

    @property
    def closed(self) -> bool:
        """Whether nothing is left to expand below it."""
        if not self._closed:
            ended = (self.terminal and not self.children) or (self.abandoned and not self.children)
            done = (self.expanded or self.abandoned) and all(child.closed for child in self.children.values())
            self._closed = ended or done
        return self._closed

    def child(self, text: str) -> Branch | None:
        """The child with these words."""
        return self.children.get(_words(text))

    def attach(self, child: Branch) -> None:
        """Take in a child."""
        assert child.node is not None
        self.children[_words(child.node.text)] = child
        branch: Branch | None = self
        while branch is not None and branch._closed:  # noqa: SLF001  # of the same class
            branch._closed = False  # noqa: SLF001
            branch = branch.parent

    def back_up(self, reward: float) -> None:
        """Count a reward on this branch and all above it."""
        branch: Branch | None = self
        while branch is not None:
            branch.visits += 1
            branch.total += reward
            branch = branch.parent

    def record(self, *, backed_up: bool) -> Node:
        """Its record, with what the search found out.

        Args:
            backed_up: whether `visits` and `value` are N and Q; else they are 1 where it was expanded, and its own value.
        """
        assert self.node is not None
        visits, value = (self.visits, self.mean) if backed_up else (int(self.expanded), self.value)
        ends = self.terminal and not self.children
        found = {"visits": visits, "value": value, "terminal": ends, "answer": self.answer if ends else None}
        return self.node.model_copy(update=found)


def _words(text: str) -> str:
    return " ".join(text.split())


class Budget:
    """What one search may spend. Groups of calls that belong together are made as a whole or not at all.

    Args:
        calls: most requests; None for any number.
        tokens: prompt and completion tokens after which nothing more is asked; None for any number.
    """

    def __init__(self, calls: int | None, tokens: int | None) -> None:
        self._most_calls = calls
        self._most_tokens = tokens
        self.calls = 0
        self.tokens = 0
        self.ended: str | None = None
        """Why something could not be asked: the name of the option."""

    def take(self, calls: int) -> bool:
        """Whether so many more requests may be made; they are then counted."""
        if self._most_tokens is not None and self.tokens >= self._most_tokens:
            self.ended = "max_tokens_in_all"
        elif self._most_calls is not None and self.calls + calls > self._most_calls:
            self.ended = "max_calls"
        if self.ended is not None:
            return False
        self.calls += calls
        return True

    def spent(self, reply: Completion | None) -> None:
        """Count the tokens of a reply; where the endpoint does not say them, a token is taken for four characters."""
        if reply is not None:
            own = reply.completion_tokens
            self.tokens += (reply.prompt_tokens or 0) + (own if own is not None else len(reply.text) // 4)


class End(NamedTuple):
    """A solution that came to its end, and the last branch that it goes through."""

    branch: Branch
    rationale: Rationale


@dataclass
class Growth:
    """One search under way."""

    step: SearchOptions
    problem: Problem
    unit: Unit
    budget: Budget
    root: Branch = field(default_factory=Branch)
    branches: list[Branch] = field(default_factory=list)
    """All but the root, in the order in which they were made."""
    ends: list[End] = field(default_factory=list)
    """Solutions whose outcome was not asked for yet."""
    ended: list[tuple[End, Verdict]] = field(default_factory=list)
    """Solutions with their outcome."""
    solutions: dict[str, tuple[Rationale, Verdict | None, Branch | None]] = field(default_factory=dict)
    """Solutions that may be kept, by id, with their verdict and their last node."""

    async def ask(self, asked: Sequence[tuple[Model, Request, UnitRecord]]) -> list[Completion | None]:
        """Ask what the budget was taken for."""
        replies = await self.step.ask_all(asked, self.unit)
        for reply in replies:
            self.budget.spent(reply)
        return replies


def reward_of(verdict: Verdict) -> float | None:
    """1 for a right solution, 0 for another, None where the verifier did not decide."""
    return None if verdict.label == "timeout" else float(verdict.label == "right")
