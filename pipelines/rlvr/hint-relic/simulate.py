"""How the scripted model carries out algorithms: it misreads a step now and then, and goes on from there."""

import synth
from synth.algorithms import algorithm_in


def carry_out(problem, error, rng):
    """Lines of a solver that misreads each step with a probability, and the answer that it comes to.

    Args:
        problem: one whose `meta` has an algorithm and an instance.
        error: the probability, from 0 to 1.
        rng: the source of randomness.

    Returns:
        The lines, the answer, and of each line whether it was read rightly.
    """
    algorithm, given = algorithm_in(problem.meta)
    trace, state = algorithm.trace(given), algorithm.first(given)
    lines, right = [], []
    while (true := algorithm.next(given, state)) is not None and len(lines) < 2 * len(trace):
        wrong = algorithm.misread(given, trace, state, rng) if rng.random() < error else None
        state = true if wrong is None else wrong
        lines.append(algorithm.form.say(state))
        right.append(wrong is None)
    return lines, algorithm.answer(given, state), right


@synth.simulates("solve", "solve_twins")
def solve(request, rng, world):
    """A step is right so often that the whole is at the rate at which the world solves problems, where errors do not cancel."""
    problem = request.task.problem
    steps = len((problem.reference_solution or "").splitlines()) - 1
    lines, answer, _ = carry_out(problem, 1 - world.solve_rate ** (1 / max(1, steps)), rng)
    return "\n".join([*lines, f"The answer is {answer}."])
