"""How the scripted model answers packs: rightly at the rate at which the world solves problems, else with another word."""

import synth


@synth.simulates("forced_answer")
def answer(request, rng, world):
    """The answer alone."""
    return f"The answer is {word(request.task.problem, rng, world)}."


@synth.simulates("forced_chain")
def chain(request, rng, world):
    """The true chain, and the answer."""
    problem = request.task.problem
    lines = (problem.reference_solution or "").splitlines()[:-1]
    return "\n".join([*lines, f"The answer is {word(problem, rng, world)}."])


def word(problem, rng, world):
    """The right word, or one that differs in its first letter."""
    right = problem.answer or "a"
    return right if rng.random() < world.solve_rate else ("b" if right[0] == "a" else "a") + right[1:]
