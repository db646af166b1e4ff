"""Answers that rank given items."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Sequence

from synth.verify.items import Value, key, read_items
from synth.verify.kinds.kind import Comparison
from synth.verify.kinds.listed import ListedKind
from synth.verify.verdict import Verdict

__all__ = ["RankingKind", "concordance"]

_BEFORE = re.compile(r"\\succ(?![a-zA-Z])|\\gt(?![a-zA-Z])|[>≻›»]|→|->")
_TIE = re.compile(r"=|~|≈|<")

_LEAST = 2
"""Items there have to be for one to come before another."""


class RankingKind(ListedKind):
    """All the given items, the first one first: a permutation of the gold answer. With an item twice, one missing or one that was not given it
    is no ranking. A wrong one is graded by the share of pairs of items that are in the gold order.
    """

    name = "ranking"

    def items(self, said: str) -> list[Value] | None:
        if _BEFORE.search(said) is None or said.lstrip().startswith('["'):
            items = read_items(said, ordered=True)
        elif _TIE.search(said.replace("->", "")) is not None:
            return None
        else:
            parts = [read_items(part.strip(" ,")) for part in _BEFORE.split(said.replace("$", " "))]
            items = [part[0] for part in parts if part is not None and len(part) == 1]
            if len(items) < len(parts):
                return None
        if items is None:
            return None
        plain = [_alone(item) for item in items]
        return plain if len({key(item) for item in plain}) == len(plain) else None

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:
        last = text.rstrip().rpartition("\n")[2]
        if len(_BEFORE.findall(last[:2000])) > 1 and (said := self.read(last, choices)) is not None:
            return said
        return super().unstated(text, choices)

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:  # noqa: ARG002
        said, meant = self.items(found), self.items(gold)
        if meant is None or len(meant) < _LEAST:
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} is not a ranking")
        places = {key(item): place for place, item in enumerate(meant)}
        if said is None or {key(item) for item in said} != places.keys():
            return self.verdict(
                "unparsed", found, gold, f"{found[:80]!r} does not rank the {len(meant)} items, each once"
            )
        order = [places[key(item)] for item in said]
        share = concordance(order)
        return self.decide(order == sorted(order), found, gold, f"{share:.0%} of the pairs in order", share)

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        items = self.items(gold)
        if items is None or len(items) < _LEAST:
            return "it ranks no items, two or more, each once: give a JSON list"
        return None


def concordance(order: Sequence[int]) -> float:
    """The share of the pairs of distinct numbers that stand in ascending order, in [0, 1]: (1 + Kendall's tau) / 2; 1 for fewer than two."""
    before: list[int] = []
    right = 0
    for place in order:
        right += bisect_left(before, place)
        insort(before, place)
    pairs = len(order) * (len(order) - 1) // 2
    return right / pairs if pairs else 1.0


def _alone(item: Value) -> Value:
    """`[3]`, as rankings of passages have it, is 3."""
    while isinstance(item, list) and len(item) == 1:
        item = item[0]
    if isinstance(item, str) and (inside := re.fullmatch(r"\[([^\[\]]{1,200})\]", item)) is not None:
        return inside[1]
    return item
