"""Chain of logic: how a decomposition is read, and how verdicts on elements become an answer."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

import synth
from synth.generators.expressions import composed, decisive, expression_text, read_expression, value_of
from synth.records import Critique, Part
from synth.verify import state_answer

__all__ = ["Decomposition", "Recompose", "names_of"]

_ELEMENT = re.compile(r"^[\s*-]*+(?:\d{1,3}[.)]\s*+)?`?([a-z_][a-z0-9_]{0,40})`?\s*+:\s*+(\S.*)$")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_RULE = re.compile(r"^The rule is: (.*)\.$", re.MULTILINE)
MOST_ELEMENTS = 20


def _lines(value: Any) -> Any:
    return [line for line in value.splitlines() if line.strip()] if isinstance(value, str) else value


def names_of(elements):
    """The names of elements written as `name: condition`."""
    return [element.partition(":")[0] for element in elements]


class Decomposition(synth.Reply):
    """A rule as elements, and an expression over their names."""

    elements: Annotated[list[str], BeforeValidator(_lines), Field(min_length=1, max_length=MOST_ELEMENTS)]
    """Each as `name: condition`."""
    expression: str
    """The rule over the names: and, or, not and brackets."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Decomposition":
        found = [_ELEMENT.match(element) for element in self.elements]
        if None in found:
            raise ValueError(f"{self.elements[found.index(None)][:80]!r} is not written as name: condition")
        names = [match[1] for match in found]
        if len(set(names)) < len(names):
            raise ValueError(f"two elements have one name: {', '.join(names)}")
        statement = read_expression(self.expression.strip().rstrip("."), names)
        text = expression_text(statement, names)
        words = set(_NAME.findall(text))
        if absent := [name for name in names if name not in words]:
            raise ValueError(f"the expression does not name the element {absent[0]}")
        fields = {"elements": [f"{match[1]}: {match[2].strip()}" for match in found], "expression": text}
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        return self


class Recompose(synth.Step):
    """Evaluate the expression of each decomposition over the verdicts on its elements (score `element`), and write it as a solution.

    Its steps are the elements with reason and verdict, then each connective from the inside out. Decompositions with an element that has no
    verdict are left out. Where the answer is not the gold one, each element that would make it so with the other verdict gets a critique.
    Where `meta.elements` of the problem has gold verdicts for elements of these names, the steps have the score `element_correct`, and the
    solution has `lucky`: 1 where its answer is right although an element is not.
    """

    takes: ClassVar = synth.Rationale
    gives: ClassVar = (synth.Rationale, synth.Score, Critique)

    step: Literal["recompose"] = "recompose"

    def gives_scores(self):
        return ("element_correct", "lucky")

    async def run(self, records, unit):
        made = []
        for decomposition in records:
            made += self._solved(decomposition, unit)
        return made

    def _solved(self, decomposition, unit):
        problem = unit.problem_of(decomposition)
        verdicts = unit.step_scores(decomposition, "element")
        count = len(decomposition.steps)
        if any(i not in verdicts or verdicts[i].value is None for i in range(count)):
            return
        names = names_of(decomposition.steps)
        expression = _RULE.search(decomposition.response)[1]
        statement = read_expression(expression, names)
        values = [verdicts[i].value > 0.5 for i in range(count)]
        judged = []
        for i, (element, value) in enumerate(zip(decomposition.steps, values, strict=True)):
            reasons = [
                s.reason for s in unit.judgements(decomposition, "element", Part(kind="step", index=i)) if s.reason
            ]
            why = " ".join(reasons[0].split()) if reasons else ""
            judged.append(
                " ".join(filter(None, (f"{element.rstrip('.')}.", why, f"So {names[i]} is {str(value).lower()}.")))
            )
        steps = [*judged, *composed(statement, names, values)]
        answer = "yes" if value_of(statement, values) else "no"
        response, span = state_answer("\n".join(steps), answer, kind="boolean")
        solution = self.derive(
            synth.Rationale,
            [decomposition],
            problem=problem.id,
            author=decomposition.author,
            model=decomposition.model,
            response=response,
            answer=answer,
            answer_span=span,
            steps=tuple(steps),
            segmenter="given/1",
            parts={"expression": expression, "verdicts": dict(zip(names, values, strict=True))},
            parent=decomposition.id,
        )
        yield solution
        wrong_answer = problem.answer is not None and problem.answer.strip().lower() != answer
        gold = _gold(problem, names)
        for i, name in enumerate(names):
            if gold is not None:
                right = gold[name] is values[i]
                yield self._score(solution, "element_correct", right, Part(kind="step", index=i))
            if wrong_answer and name in decisive(expression, dict(zip(names, values, strict=True))):
                yield self.derive(
                    Critique,
                    [solution],
                    key=i,
                    target=solution.id,
                    part=Part(kind="step", index=i),
                    mistake="element",
                    explanation=f"With {name} {str(not values[i]).lower()} the result would be the right one.",
                    critic=f"{self.name}/1",
                )
        if gold is not None:
            lucky = not wrong_answer and any(gold[name] is not value for name, value in zip(names, values, strict=True))
            yield self._score(solution, "lucky", lucky, None)

    def _score(self, solution, name, value, part):
        return self.derive(
            synth.Score,
            [solution],
            key=[name, None if part is None else part.index],
            target=solution.id,
            part=part,
            name=name,
            value=float(value),
            label="yes" if value else "no",
            judge=f"{self.name}/1",
        )


def _gold(problem, names):
    """The gold verdicts of elements by name, where the problem has them for all of these names."""
    given = problem.meta.get("elements")
    known = {e.get("name"): e.get("verdict") for e in given if isinstance(e, dict)} if isinstance(given, list) else {}
    found = {name: known.get(name) for name in names}
    return found if all(isinstance(value, bool) for value in found.values()) else None
