"""Which problems the scripted model cannot solve."""

from dataclasses import replace

import synth


@synth.simulates("try")
def attempt(request, rng, world):
    """As the world solves; but a third of the problems never."""
    never = sum(map(ord, request.task.problem.question)) % 3 == 0
    able = replace(world, simulators={}, thinks=0)
    return replace(able, solve_rate=0, lucky_rate=0)(request, rng) if never else able(request, rng)
