"""Networks of lines that trains run on, and the shortest ways through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

__all__ = ["Leg", "Network", "best_routes", "level", "lines_of", "random_network", "stops"]

Network = Mapping[str, Sequence[str]]
"""The stations of each line, in order. No line stops twice at a station, and none is a circle."""

Leg = tuple[str, str, str]
"""A line, the station where one gets on, and the station where one gets off."""

_LINES = ("Red", "Blue", "Green", "Yellow", "Brown", "Pink", "Grey", "White", "Violet", "Orange")
_FIRST = (
    "Old", "North", "South", "Upper", "Lower", "Royal", "Cedar", "Birch", "Maple", "Willow", "Saint Anne", "King's", "Queen's", "Stone", "River",
    "Castle", "Cathedral", "Harvest", "Swan", "Falcon", "Badger", "Lantern", "Copper", "Marble", "Meadow", "Harbour", "Market", "Mill", "Abbey",
    "Orchard",
)  # fmt: skip
_SECOND = (
    "Bridge", "Gate", "Square", "Park", "Hill", "Road", "Cross", "Corner", "Garden", "Quay", "Terrace", "Wharf", "Common", "Lane", "Green",
)  # fmt: skip


def random_network(random: Random, lines: int, stations: int) -> dict[str, tuple[str, ...]]:
    """A connected network.

    Args:
        random: the source of randomness.
        lines: how many lines there are, at most ten.
        stations: how many stations a line has at most; the least is three fewer, and not below four.
    """
    names = [f"{a} {b}" for a in _FIRST for b in _SECOND]
    random.shuffle(names)
    made: dict[str, tuple[str, ...]] = {}
    for name in random.sample(_LINES, lines):
        length = random.randint(max(4, stations - 3), stations)
        stops = [names.pop() for _ in range(length)]
        known = sorted({station for line in made.values() for station in line})
        if known:
            shared = random.sample(known, random.randint(1, min(2, len(made) + 1)))
            for place, station in zip(random.sample(range(length), len(shared)), shared, strict=True):
                stops[place] = station
        made[f"{name} Line"] = tuple(stops)
    return made


def level(network: Network) -> tuple[str, float]:
    """How large a network is, and what its problems weigh in rewards: `easy` 1.0 up to three lines, `middle` 1.2 up to five, `hard` 1.5."""
    return ("easy", 1.0) if len(network) <= 3 else ("middle", 1.2) if len(network) <= 5 else ("hard", 1.5)


def lines_of(network: Network, station: str) -> list[str]:
    """The lines that stop at a station."""
    return [line for line, stops in network.items() if station in stops]


def stops(network: Network, leg: Leg) -> int:
    """How many stops a leg is long: 1 to the next station. 0 where it is no leg of the network, or ends where it begins."""
    line, start, end = leg
    stations = network.get(line, ())
    return abs(stations.index(start) - stations.index(end)) if start in stations and end in stations else 0


def best_routes(network: Network, start: str, end: str) -> list[tuple[Leg, ...]]:
    """All routes with the fewest changes, those with the fewest stops first; found breadth first over lines.

    Returns:
        Routes as legs; none where there is no way, or it ends where it begins.
    """
    if start == end:
        return []
    routes: list[tuple[Leg, ...]] = []
    paths: list[tuple[tuple[str, str], ...]] = [((line, start),) for line in lines_of(network, start)]
    reached = {line for line in network if start in network[line]}
    while paths:
        for path in paths:
            if end in network[path[-1][0]]:
                ends = [*(station for _, station in path[1:]), end]
                routes.append(tuple((line, on, off) for (line, on), off in zip(path, ends, strict=True)))
        if routes:
            valid = [r for r in routes if all(on != off for _, on, off in r)]
            return sorted(valid, key=lambda route: (sum(stops(network, leg) for leg in route), route))
        further: list[tuple[tuple[str, str], ...]] = []
        for path in paths:
            for station in network[path[-1][0]]:
                further += [(*path, (line, station)) for line in lines_of(network, station) if line not in reached]
        reached |= {path[-1][0] for path in further}
        paths = further
    return []
