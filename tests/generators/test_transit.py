"""Networks of lines: every answer again by a search of its own, step by step over stations."""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from itertools import pairwise

import pytest

from synth.generators import generator_of, made_rows
from synth.generators.network import best_routes, stops


def rows(**options) -> list[dict]:
    return list(made_rows(generator_of("transit", options)))


def shortest(network: dict, start: str, end: str) -> tuple[tuple[int, int] | None, int]:
    """The least (changes, stops) by a search over (station, line), one stop at a time; and how many ways have it."""
    best: dict[tuple[str, str], tuple[int, int]] = {}
    ways: Counter[tuple[str, str]] = Counter()
    queue = [(0, 0, start, line) for line, stations in network.items() if start in stations]
    for _, _, station, line in queue:
        best[station, line], ways[station, line] = (0, 0), 1
    done = set()
    while queue:
        changes, length, station, line = heappop(queue)
        if (station, line) in done:
            continue
        done.add((station, line))
        at = network[line].index(station)
        near = [(changes, length + 1, network[line][i], line) for i in (at - 1, at + 1) if 0 <= i < len(network[line])]
        near += [
            (changes + 1, length, station, other) for other in network if other != line and station in network[other]
        ]
        for one in near:
            cost, place = one[:2], one[2:]
            if place not in best or cost < best[place]:
                best[place], ways[place] = cost, ways[station, line]
                heappush(queue, one)
            elif cost == best[place]:
                ways[place] += ways[station, line]
    ends = {line: best[end, line] for line in network if (end, line) in best}
    least = min(ends.values(), default=None)
    return least, sum(ways[end, line] for line, cost in ends.items() if cost == least)


@pytest.mark.parametrize("lines", ["2-4", "5-8"])
def test_every_answer_is_found_again(lines: str):
    """Each kind of question, by definition or by the search over stations; of routes the best one is the only one."""
    made = rows(lines=lines, stations="4-9", size=320, twins="both")
    assert Counter(row["ask"] for row in made).keys() == {
        "on_line",
        "direct",
        "stations",
        "changes",
        "between",
        "route",
    }
    for row in made:
        network, about = row["network"], row["about"]
        match row["ask"]:
            case "on_line":
                true = "yes" if about[0] in network[about[1]] else "no"
            case "direct":
                found = shortest(network, *about)[0]
                true = "yes" if found is not None and found[0] == 0 else "no"
            case "stations":
                true = str(len(network[about[0]]))
            case "changes":
                true = str(sum(n > 1 for n in Counter(s for line in network.values() for s in line).values()))
            case "between":
                assert sum(set(about) <= set(line) for line in network.values()) == 1
                true = str(shortest(network, *about)[0][1] - 1)
            case _:
                (changes, length), ways = shortest(network, *about)
                legs = [tuple(leg) for leg in row["route"]]
                assert ways == 1
                assert (changes, length) == (row["transfers"], sum(stops(network, leg) for leg in legs))
                assert [legs[0][1], legs[-1][2]] == about
                assert all(a[2] == b[1] and a[0] != b[0] for a, b in pairwise(legs))
                true = row["answer"]
        assert row["answer"] == true, row
        assert all(station in row["question"] for line in network.values() for station in line)


def test_stages_come_in_turn_from_easy_to_hard():
    """Stage and size of the map make the difficulty."""
    made = rows(lines="3-6", size=64)
    stages = {"on_line": 0, "direct": 0, "stations": 1, "changes": 1, "between": 2, "route": 3}
    weights = {3: ("easy", 1.0), 4: ("middle", 1.2), 5: ("middle", 1.2), 6: ("hard", 1.5)}
    for row in made:
        assert (row["level"], row["weight"]) == weights[len(row["network"])]
        assert row["difficulty"] == pytest.approx(stages[row["ask"]] + row["weight"])
    assert set(Counter(row["stage"] for row in made).values()) == {4}


def test_best_routes_of_a_known_network():
    """Two ways with one change: the one with fewer stops first; none where nothing connects; none to where one is."""
    network = {"Red": ["a", "b", "c", "d"], "Blue": ["x", "b", "y", "z", "d"], "Far": ["p", "q"]}
    assert best_routes(network, "a", "z") == [
        (("Red", "a", "b"), ("Blue", "b", "z")),
        (("Red", "a", "d"), ("Blue", "d", "z")),
    ]
    assert best_routes(network, "a", "c") == [(("Red", "a", "c"),)]
    assert best_routes(network, "a", "p") == best_routes(network, "a", "a") == []
