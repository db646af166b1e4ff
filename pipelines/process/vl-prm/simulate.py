"""How the scripted model writes what is seen before what is concluded: the first step of its solutions is seen."""

from dataclasses import replace

import synth


@synth.simulates("solve", "look_ahead")
def solve(request, rng, world):
    """A solution of the world, or what is left of one, with the beginnings of the two kinds of steps."""
    written = replace(world, simulators={})(request, rng)
    lines = written.splitlines()
    first = not (request.continue_from or request.begun)
    kinds = ["Seen: " if first and i == 0 else "So: " for i in range(len(lines))]
    return "\n".join(
        f"{kind}{line}" if line.startswith("We know") else line for kind, line in zip(kinds, lines, strict=True)
    )
