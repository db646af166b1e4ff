"""The order in which searches expand, and that of the released search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synth.steps.search import BestFirst, BreadthFirst, DepthFirst, Scored


def test_searches_expand_what_they_say():
    children = {"": [3, 9, 5], "9": [1, 2], "5": [8]}

    def order(search) -> list[str]:
        seen = []
        search.add([Scored(float(v), str(v)) for v in children[""]])
        while found := search.next():
            seen += found
            for node in found:
                search.add([Scored(float(v), str(v)) for v in children.get(node, [])])
        return seen

    assert order(DepthFirst()) == ["9", "2", "1", "5", "8", "3"]
    assert order(BestFirst()) == ["9", "5", "8", "3", "2", "1"]
    assert order(BreadthFirst(2)) == ["9", "5", "8", "2"]


@pytest.mark.data
def test_a_beam_chooses_what_the_released_search_chose(data: Path):
    """The game-of-24 trees of arXiv:2305.10601: at each depth the five of highest value."""
    levels = 0
    for line in (data / "tot_game24_trees.jsonl").read_text().splitlines():
        for step in json.loads(line)["steps"]:
            search = BreadthFirst(5)
            search.add([Scored(v, y) for v, y in zip(step["values"], step["new_ys"], strict=True)])
            chosen = search.next()
            worth = dict(zip(step["new_ys"], step["values"], strict=True))
            assert [worth[y] for y in chosen] == [worth[y] for y in step["select_new_ys"]]
            levels += 1
    assert levels > 100
