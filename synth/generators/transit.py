"""Questions about a network of lines, from easy to hard (arXiv:2510.02240, in text)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from synth.generators.generator import At, Generator, Item, NotUnique, Range, Twin, Values, within
from synth.generators.network import Leg, Network, best_routes, level, lines_of, random_network, stops
from synth.records import AnswerKind

__all__ = ["Transit", "route_text"]

_ASIDE = (
    "Tickets are valid for two hours.",
    "The first train leaves at five in the morning.",
    "Every train has six carriages.",
    "Bicycles may be taken along at weekends.",
)
"""Facts that bear on nothing that is asked."""


@dataclass(frozen=True, slots=True)
class _World:
    network: Network
    ask: str
    about: tuple[str, ...]
    """The lines or stations that the question names."""
    order: Sequence[str]
    """In which the lines are listed."""
    backwards: frozenset[str] = frozenset()
    """Lines that are listed from their other end."""
    aside: str | None = None


class _Asked(NamedTuple):
    question: str
    answer: str
    kind: AnswerKind
    steps: Sequence[str]
    route: tuple[Leg, ...] = ()


class Transit(Generator):
    """Answer questions about a network of train lines: is a station on a line, how many stops, which route.

    `meta.ask` says what is asked. Stage 0: `on_line` (does a line stop there) and `direct` (is there a train without changing); stage 1: `stations`
    (how many a line has) and `changes` (at how many stations one can change); stage 2: `between` (how many stations lie between two, of which only
    one line has both); stage 3: `route` (the one route with the fewest changes and, of these, the fewest stops). The difficulty is the stage plus
    the weight of the map, 1.0, 1.2 or 1.5 (up to three, up to five, more lines). `meta.network` has the stations of each line,
    `meta.route` the legs `[line, from, to]` of a route, `meta.transfers` its changes.
    """

    name: ClassVar[str] = "transit"

    lines: Annotated[Range, within(2, 10)] = Values(3, 3)
    """How many lines there are, from 2 to 10."""
    stations: Annotated[Range, within(4, 15)] = Values(6, 6)
    """How many stations the longest line may have, from 4 to 15; others have up to three fewer, and at least four."""
    stage: Annotated[Range, within(0, 3)] = Values(0, 3)
    """What is asked, from 0 (yes or no) to 3 (a route)."""
    reward: Literal["correct", "route"] = "correct"
    """What rewards completions: `correct`, or `route`, which weighs answers by the map and gives routes partial credit (arXiv:2510.02240)."""

    def make(self, random: Random, at: At) -> Item:
        """A question with one answer; questions that the map leaves open are drawn again."""
        network = random_network(random, at["lines"], at["stations"])
        ask = random.choice(_STAGES[at["stage"]])
        line = random.choice(list(network))
        known = sorted({station for stations in network.values() for station in stations})
        yes = random.random() < 0.5
        about: tuple[str, ...]
        match ask:
            case "on_line":
                about = (random.choice([one for one in known if (one in network[line]) is yes]), line)
            case "stations":
                about = (line,)
            case "changes":
                about = ()
            case "between":
                about = tuple(random.sample(network[line], 2))
            case _:  # half of the pairs have a direct train, of routes a quarter
                direct = yes and (ask == "direct" or random.random() < 0.5)
                about = tuple(random.sample(network[line], 2)) if direct else _apart(network, known, random)
        return self._item(_World(network, ask, about, random.sample(list(network), len(network))), at)

    def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:
        """Lines listed in another order and direction beside a fact that bears on nothing; or another station on one or two of them, or in the question."""
        world: _World = item.world
        if kind == "same":
            lines = list(world.network)
            order = random.sample(lines, len(lines))
            backwards = frozenset(line for line in lines if random.random() < 0.5)
            return self._item(replace(world, order=order, backwards=backwards, aside=random.choice(_ASIDE)), at)
        if world.about and random.random() < 0.2:  # not every answer can be changed by a change of the map
            place = random.randrange(len(world.about))
            among = (
                list(world.network)
                if world.about[place] in world.network
                else sorted(set().union(*world.network.values()))
            )
            about = list(world.about)
            about[place] = random.choice(among)
            return self._item(replace(world, about=tuple(about)), at)
        network = {line: list(stations) for line, stations in world.network.items()}
        line, other = random.sample(list(network), 2)
        place, there = random.randrange(len(network[line])), random.randrange(len(network[other]))
        new = random.choice([*random_network(random, 2, 4).popitem()[1], *world.about])
        if random.random() < 0.5:  # two stations change places, else one is inserted or replaced
            network[line][place], network[other][there] = network[other][there], network[line][place]
        elif new not in network:
            network[line][place : place + random.randint(0, 1)] = [new]
        if any(len(set(stations)) < len(stations) for stations in network.values()):
            raise NotUnique
        return self._item(replace(world, network={line: tuple(stations) for line, stations in network.items()}), at)

    def _item(self, world: _World, at: At) -> Item:
        network = world.network
        known = {station for stations in network.values() for station in stations}
        if not all(one in known or one in network for one in world.about):
            raise NotUnique
        asked = _ASK[world.ask](network, *world.about)
        name, weight = level(network)
        meta: dict[str, Any] = {
            "ask": world.ask,
            "about": list(world.about),
            "network": {line: list(stations) for line, stations in network.items()},
            "level": name,
            "weight": weight,
        }
        if asked.route:
            meta |= {"route": [list(leg) for leg in asked.route], "transfers": len(asked.route) - 1}
        return Item(
            question=f"{_map(world)}\n\n{asked.question}",
            answer=asked.answer,
            answer_kind=asked.kind,
            solution=asked.steps,
            difficulty=at["stage"] + weight,
            reward=None if self.reward == "correct" else _reward(network, asked, weight),
            meta=meta,
            world=world,
        )


def _apart(network: Network, known: Sequence[str], random: Random) -> tuple[str, ...]:
    """Two stations that no line has both of."""
    start = random.choice(known)
    near = {station for line in lines_of(network, start) for station in network[line]}
    far = [station for station in known if station not in near]
    if not far:
        raise NotUnique
    return (start, random.choice(far))


def _reward(network: Network, asked: _Asked, weight: float) -> dict[str, Any]:
    """The reward `route` with what it is computed from."""
    if not asked.route:
        return {"name": "route", "args": {"weight": weight}}
    lines = {line: list(stations) for line, stations in network.items()}
    return {"name": "route", "args": {"weight": weight, "network": lines, "legs": [list(leg) for leg in asked.route]}}


def _map(world: _World) -> str:
    """The map in words."""
    said = []
    for line in world.order:
        stations = world.network[line][:: -1 if line in world.backwards else 1]
        said.append(f"{line}: {' - '.join(stations)}")
    aside = f" {world.aside}" if world.aside else ""
    intro = "Trains run in both directions on these lines and stop at these stations, in this order."
    return "\n".join([f"{intro} One can change between lines where both stop.{aside}", *said])


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _on_line(network: Network, station: str, line: str) -> _Asked:
    found = station in network[line]
    steps = [f"The {line} stops at {', '.join(network[line])}.", f"{station} is {'' if found else 'not '}among them."]
    return _Asked(f"Does the {line} stop at {station}? Answer yes or no.", _yes(found), "boolean", steps)


def _direct(network: Network, start: str, end: str) -> _Asked:
    both = [lines_of(network, station) for station in (start, end)]
    common = [line for line in both[0] if line in both[1]]
    if start == end:
        raise NotUnique
    steps = [
        *(
            f"{station} is a stop of the {' and the '.join(lines)}."
            for station, lines in zip((start, end), both, strict=True)
        ),
        f"Both are stops of the {' and the '.join(common)}." if common else "No line stops at both.",
    ]
    question = f"Can one travel from {start} to {end} without changing trains? Answer yes or no."
    return _Asked(question, _yes(bool(common)), "boolean", steps)


def _stations(network: Network, line: str) -> _Asked:
    steps = [f"The {line} stops at {', '.join(network[line])}.", f"These are {len(network[line])} stations."]
    return _Asked(f"How many stations does the {line} have?", str(len(network[line])), "number", steps)


def _changes(network: Network) -> _Asked:
    known = dict.fromkeys(station for stations in network.values() for station in stations)
    several = {station: lines for station in known if len(lines := lines_of(network, station)) > 1}
    steps = [
        *(f"{station} is a stop of the {' and the '.join(lines)}." for station, lines in several.items()),
        f"Every other station is a stop of one line, so one can change at {len(several)} stations.",
    ]
    question = "At how many stations can one change from one line to another?"
    return _Asked(question, str(len(several)), "number", steps)


def _between(network: Network, start: str, end: str) -> _Asked:
    both = [line for line, stations in network.items() if start in stations and end in stations]
    if len(both) != 1 or start == end:  # on two lines there may be two numbers
        raise NotUnique
    stations = network[both[0]]
    places = [stations.index(start) + 1, stations.index(end) + 1]
    low, high = sorted(places)
    between = stations[low : high - 1]
    steps = [
        f"Only the {both[0]} stops at both: {', '.join(stations)}.",
        f"{start} is stop {places[0]} in this order, and {end} is stop {places[1]}.",
        f"{high} - {low} - 1 = {len(between)} stations lie between them{': ' + ', '.join(between) if between else ''}.",
    ]
    question = f"Without changing trains: how many stations lie between {start} and {end}, these two not counted?"
    return _Asked(question, str(len(between)), "number", steps)


def route_text(route: Sequence[Leg]) -> str:
    """A route in the form in which it is asked for: `Red Line: A to B; Blue Line: B to C`."""
    return "; ".join(f"{line}: {start} to {end}" for line, start, end in route)


def _route(network: Network, start: str, end: str) -> _Asked:
    routes = best_routes(network, start, end)
    lengths = [[stops(network, leg) for leg in route] for route in routes]
    if not routes or (len(routes) > 1 and sum(lengths[0]) == sum(lengths[1])):
        raise NotUnique
    best = routes[0]
    changes = len(best) - 1
    most = "no change" if not changes else "1 change" if changes == 1 else f"{changes} changes"
    steps = [
        *(f"{station} is a stop of the {' and the '.join(lines_of(network, station))}." for station in (start, end)),
        *_reached(network, start, changes),
        *(f"With {most}: {route_text(r)}: {_sum(n)}." for r, n in zip(routes, lengths, strict=True)),
        f"The fewest stops are {sum(lengths[0])}: {route_text(best)}.",
    ]
    question = (
        f"Which route leads from {start} to {end} with the fewest changes and, of these routes, the fewest stops? Give each part of the journey as "
        "LINE: FROM to TO, and put a semicolon between the parts."
    )
    return _Asked(question, route_text(best), "text", steps, best)


def _reached(network: Network, start: str, changes: int) -> list[str]:
    """Which lines can be reached with how many changes, up to the one before the last."""
    reached = lines_of(network, start)
    said = []
    for number in range(changes):
        count = "without a change" if not number else f"with {number} change{'s' * (number > 1)}"
        said.append(
            f"The lines that can be reached {count} are the {' and the '.join(reached)}, which do not lead to the end."
        )
        near = {station for line in reached for station in network[line]}
        reached = [line for line, stations in network.items() if near & set(stations)]
    return said


def _sum(lengths: Sequence[int]) -> str:
    total = f"{sum(lengths)} stop{'s' * (sum(lengths) != 1)}"
    return total if len(lengths) == 1 else f"{' + '.join(map(str, lengths))} = {total}"


_ASK: Mapping[str, Callable[..., _Asked]] = {
    "on_line": _on_line,
    "direct": _direct,
    "stations": _stations,
    "changes": _changes,
    "between": _between,
    "route": _route,
}
_STAGES = (("on_line", "direct"), ("stations", "changes"), ("between",), ("route",))
