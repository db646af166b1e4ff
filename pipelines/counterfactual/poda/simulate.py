"""How the scripted model analyses options and invents passages. A passage that it invented is as easy to it as any."""

import json

import synth


@synth.simulates("analyse_options")
def analyse(request, rng, world):
    """Every option in the light of two premises; the answer is right at the rate at which the world solves problems."""
    problem = request.task.problem
    letters = [letter for letter, _ in problem.lettered_choices]
    answer = problem.answer or "A"
    if rng.random() >= world.solve_rate:
        answer = rng.choice([letter for letter in letters if letter != answer])
    relations = ["supported" if a == answer else rng.choice(["unrelated", "contradicted"]) for a in letters]
    premises = [f"It says {total(rng)}.", f"And {total(rng)}."]
    cited = [1 if relation == "supported" else 2 for relation in relations]
    if request.task.format == "json":
        options = [
            {"analysis": f"So it is {r}.", "relation": r, "premises": [n]}
            for r, n in zip(relations, cited, strict=True)
        ]
        return {"premises": premises, "options": options, "conclusion": f"It is {answer}.", "answer": answer}
    listed = "\n".join(f"{i}. {p}" for i, p in enumerate(premises, 1))
    blocks = "\n".join(
        f"{a}) So it is.\nRelation: {r} by {n}" for a, r, n in zip(letters, relations, cited, strict=True)
    )
    return f"Premises:\n{listed}\nOptions:\n{blocks}\nConclusion: It is {answer}.\nAnswer: {answer}"


@synth.simulates("counterfactual")
def counterfactual(request, rng):
    """Premises under which another option is right; or, where these are written as a passage, half of the passage and other words."""
    task = request.task
    if "passage" in request.shape.model_fields:
        words = (task.problem.context or "").split()
        added = [f"word{rng.randrange(1000)}" for _ in range(max(8, len(words) // 2))]
        return {"passage": " ".join([*words[: len(words) // 2], *added]) + "."}
    premises = [f"In the house {rng.randrange(1000)} all are of the kind {task.hint}.", "Who is there stays there."]
    return json.dumps({"premises": premises}) if task.format == "json" else "\n".join(f"- {p}" for p in premises)


def total(rng):
    """A sum that is right."""
    a, b = rng.randrange(1, 1000), rng.randrange(1, 1000)
    return f"{a} + {b} = {a + b}"
