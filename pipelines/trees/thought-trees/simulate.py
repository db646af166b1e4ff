"""How the scripted model votes, says why, and reports. Whether an element holds is settled by its words and those of the answer."""

import random

import synth


@synth.simulates("rubric_tree")
def decide(request, rng, world):
    """A vote, which is the one that most would give at the rate `agreement_rate` of the world; or a reason with a quotation."""
    task, asked = request.task, str(request.messages[-1]["content"])
    if task.hint is not None:
        return {"reason": f"I take it for a {task.hint}.", "quote": quotation(task.problem, rng)}
    truth = random.Random(f"{task.problem.id}:{asked.rsplit(chr(10), 1)[-1]}").random() < 0.5
    agrees = rng.random() < world.agreement_rate
    said = "yes" if truth == agrees else "no"
    return {"decision": said} if task.format == "json" else said.capitalize()


@synth.simulates("verbalize_path")
def report(request, rng):
    """A report that states the grade of its path and quotes the answer."""
    grade = request.task.hint
    rationale = f'The mark is {grade}, for it says "{quotation(request.task.problem, rng)}".'
    return {"rationale": rationale, "mark": str(grade), "suggestion": "Say more."}


def quotation(problem, rng):
    """Five successive words of the answer that is graded, or as many as it has."""
    words = (problem.context or "").split()
    first = rng.randrange(max(1, len(words) - 4))
    return " ".join(words[first : first + 5])
