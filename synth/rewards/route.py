"""The reward of answers about a network of lines, with partial credit for routes (arXiv:2510.02240)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from synth.records import AnswerKind
from synth.rewards.answers import judged
from synth.rewards.registry import reward
from synth.verify import find_answer

__all__ = ["legs_in", "route"]

_MOST_DETAIL = 10.0
_MOST_LEGS, _LONGEST = 20, 2_000

Leg = tuple[str, str, str]


@reward
def route(
    completion: str,
    answer: str,
    answer_kind: AnswerKind | None = None,
    choices: str | Sequence[str] = (),
    *,
    network: Mapping[str, Sequence[str]] | None = None,
    legs: Sequence[Leg] = (),
    weight: float = 1.0,
) -> float | None:
    """`weight * (10 * correct + 0.5 * detail)`, with `detail` from 0 to 10 for the parts of a route (arXiv:2510.02240).

    `correct` is 1 where the completion states the gold answer, or the same route in other words. A route that begins and ends where it should has
    2 points of detail; 4 more where it takes the one line of a route without a change; with changes 3 for each of its parts that one line serves,
    of as many parts as the gold route has, and 1 for each change at a station where the gold route changes. Other routes have none. Routes with
    changes weigh 0.5 more. Half of the reward of a right answer is more than any wrong one can have.

    Args:
        completion: what the model wrote.
        answer: the gold answer.
        answer_kind: how answers are compared; by their form if not given.
        choices: the options, as a list or as a JSON list.
        network: the stations of each line, in order; None where the question asks for no route.
        legs: the gold route: of each part the line, where one gets on and where one gets off.
        weight: how much the question counts: 1.0, 1.2 or 1.5 by the size of the map.
    """
    label = judged(completion, answer, answer_kind, choices).label
    correct, detail = label == "right", 0.0
    if network is not None and legs:
        weight += 0.5 * (len(legs) > 1)
        said = legs_in(find_answer(completion, kind="text").answer or "", network)
        correct = correct or said == list(legs)
        detail = _detail(legs if correct else said, legs, network)
    elif label == "undecided":
        return None
    return weight * (10 * correct + 0.5 * detail)


def _detail(said: Sequence[Leg], legs: Sequence[Leg], network: Mapping[str, Sequence[str]]) -> float:
    """The points of a route, from 0 to 10."""
    if not said or (said[0][1], said[-1][2]) != (legs[0][1], legs[-1][2]):
        return 0.0
    served = [{start, end} <= set(network[line]) and start != end for line, start, end in said]
    if len(legs) == 1:
        return 2.0 + 4.0 * (len(said) == 1 and said[0][0] == legs[0][0])
    changes = {leg[2] for leg in legs[:-1]}
    right = {
        a[2] for (a, b), ok in zip(pairwise(said), served, strict=False) if ok and a[2] == b[1] and a[2] in changes
    }
    return min(_MOST_DETAIL, 2.0 + 3.0 * sum(served[: len(legs)]) + len(right))


def legs_in(text: str, network: Mapping[str, Sequence[str]]) -> list[Leg]:
    """The parts of a route in a text such as `Red Line: A to B; Blue Line: B to C`, also with `Red: A - B`; none where one cannot be read.

    Args:
        text: at most 2,000 characters and 20 parts are read.
        network: the lines and their stations, of which alone names are known.
    """
    stations = sorted({station for line in network.values() for station in line}, key=len, reverse=True)
    found: list[Leg] = []
    for part in text[:_LONGEST].replace("\n", ";").split(";")[:_MOST_LEGS]:
        if not part.strip(" ."):
            continue
        name, _, rest = part.partition(":")
        line = _line(name, network)
        places = sorted(_places(rest.casefold(), stations))
        if line is None or len(places) != 2:
            return []
        found.append((line, places[0][1], places[1][1]))
    return found


def _line(said: str, network: Mapping[str, Sequence[str]]) -> str | None:
    """The one line that a text names, with or without the word line."""
    words = said.casefold().strip().removesuffix(" line").split()
    known = [
        line
        for line in network
        if (name := line.casefold().removesuffix(" line").split()) and words[-len(name) :] == name
    ]
    return known[0] if len(known) == 1 else None


def _places(text: str, stations: Sequence[str]) -> list[tuple[int, str]]:
    """Where stations are named, the longest names first: each place belongs to one."""
    found = []
    for station in stations:
        name = station.casefold()
        while name and (at := text.find(name)) >= 0:
            found.append((at, station))
            text = text[:at] + " " * len(name) + text[at + len(name) :]
    return found
