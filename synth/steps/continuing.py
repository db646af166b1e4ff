"""What the steps share that continue the beginning of a solution: the beginning, the request, and the reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from synth.models import Capability, Completion, Model, Request, Task
from synth.records import Part, Problem, Rationale, record_fields
from synth.records.parts import BLANKS
from synth.steps.segmentation import Segmenter, cut, name_of, spans, uncut
from synth.steps.writing import WritingStep
from synth.verify import find_answer

__all__ = ["Beginning", "BeginningStep", "ContinuingStep"]

_BARE = 4
"""Characters, such as `**` on both sides, that a bare answer may have around it."""


class Beginning(NamedTuple):
    """The first steps of a rationale, as its author wrote them, and what is inserted after them; or the beginning that a problem gives."""

    rationale: Rationale | None
    """None where the problem gives it."""
    kept: int
    """How many of its steps are kept."""
    text: str
    """The text up to the end of the last step that is kept, byte for byte; where steps are no slices of it, the steps, a line each."""
    seam: str
    """The white space that follows; of a problem's beginning what is written after it where a continuation begins without white space, empty
    where it ends in white space itself."""
    inserted: str | None = None
    """What stands after it that neither its author nor the continuing model wrote."""
    own: tuple[str, ...] | None = None
    """Its steps where they are not the first `kept` ones of the rationale."""

    @classmethod
    def of_all(cls, rationale: Rationale, inserted: str | None = None) -> Beginning:
        """All that its author wrote, to the last character that is no white space. What is in none of its steps, the statement of its
        answer, is a step of its own. Of a rationale whose thought was cut into steps that thought; where steps are no slices of the
        text, all steps, a line each.
        """
        every = cls.of(rationale, len(rationale.steps), inserted)
        spans = rationale.step_spans
        if spans is None or rationale.steps_of_thought:
            return every
        text = rationale.response.rstrip()
        ends = [0, *(end for span in spans for end in span), len(text)]
        pieces = (text[start:end].strip() for start, end in pairwise(ends))
        return every._replace(text=text, seam=every.seam or "\n", own=tuple(piece for piece in pieces if piece))

    @classmethod
    def of(cls, rationale: Rationale, kept: int, inserted: str | None = None) -> Beginning:
        """The first `kept` steps of a rationale, from 0 to all of them."""
        whole = (rationale.thought if rationale.steps_of_thought else rationale.response) or ""
        spans = rationale.step_spans
        if spans is None:
            whole, spans = _by_lines(rationale.steps)
        end = spans[kept - 1][1] if kept else 0
        following = spans[kept][0] if kept < len(spans) else None
        seam = whole[end:following] if following is not None and kept else ""
        if kept and not (seam and seam.isspace()):
            between = [whole[a[1] : b[0]] for a, b in pairwise(spans)]
            seam = next((s for s in between if s and s.isspace()), "\n")
        return cls(rationale, kept, whole[:end], seam, inserted)

    @classmethod
    def of_problem(cls, problem: Problem, segment: Segmenter) -> Beginning | None:
        """The beginning that a problem gives, whole; None where it gives none."""
        text = problem.begun
        if not text:
            return None
        seam = "" if text[-1].isspace() else "\n" if "\n" in text else " "
        steps, _ = cut(None, text, None, segment)
        return cls(None, len(steps), text, seam, own=steps)

    def states_answer(self, problem: Problem) -> bool:
        """Whether its author states an answer within it, so that a continuation has no choice left."""
        answer, span = find_answer(self.text, kind=problem.compared_as, choices=problem.choices)
        # A short step may be read as a bare answer; a statement has words or marks around it.
        return answer is not None and span is not None and span[1] - span[0] > len(answer) + _BARE

    @property
    def steps(self) -> tuple[str, ...]:
        """Its steps, with what is inserted as one of them."""
        own = self.own
        if own is None:
            own = self.rationale.steps[: self.kept] if self.rationale is not None else ()
        return (*own, *((self.inserted.strip(),) if self.inserted else ()))

    @property
    def given(self) -> str:
        """All that the continuing model finds written; empty where there is nothing."""
        if not self.inserted:
            return self.text
        return f"{self.text}{self.seam}{self.inserted}" if self.text else self.inserted

    @property
    def sent(self) -> str:
        """The same as it is sent. A line that is full ends; a blank at the end is left out, for models write their own. What a problem gives
        is sent as it is.
        """
        if self.rationale is None:
            return self.given
        return self.given + (self.seam if self.given and "\n" in self.seam else "")

    def joined(self, added: str) -> tuple[str, int]:
        """The whole solution with what a model added, and where the addition begins."""
        if not self.given:
            return added, 0
        if (
            self.rationale is None and not self.seam
        ):  # after a whole line white space may be the indentation of the next one
            own = added.lstrip("\r\n" if self.text.endswith("\n") else None)
            return f"{self.text}{own}", len(self.text)
        own = added.lstrip()
        space = added[: len(added) - len(own)]
        if "\n" in self.seam or not space:
            space = self.seam
        return f"{self.given}{space}{own}", len(self.given) + len(space)

    def spans(self, end: int) -> list[dict[str, Any]]:
        """Who wrote what of the solution, from its first character to its last one.

        Args:
            end: its length in characters.
        """
        places = [("given", len(self.text)), ("inserted", len(self.given)), ("model", end)]
        found, start = [], 0
        for by, stop in places:
            if stop > start:
                found.append({"by": by, "start": start, "end": stop})
                start = stop
        return found


class BeginningStep(WritingStep):
    """A step that has models continue where the beginning of a solution is given, and solve where none is.

    A model that takes the beginning of its reply (`prefill`) is asked as `generate` asks, with the beginning as the start of its
    reply. Others are shown the beginning and asked for what comes next. A reply that repeats the beginning loses the repetition;
    one that begins again, or is a loop, is a failure (`restarted`, `repeated`) and not a continuation. The beginning stays as it is,
    byte for byte.
    """

    prompt: str = "rationale/solve"
    """Name of a shipped prompt, or path of your own (`.j2`), for models that take the beginning of their reply: that with which the
    solution itself was asked for."""
    continue_prompt: str = "rationale/continue"
    """The same for other models, where a beginning is given; it shows `begun`, the beginning, and `steps`, its steps."""
    mode: Literal["auto", "prefill", "prompt"] = "auto"
    """How a model is given the beginning: as the start of its reply, which it must be able to take; in words; or the first where it
    can be. Of a solution whose thought was cut into steps always in words."""

    def prompts(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        shown: dict[str, frozenset[str] | None] = {"problem": record_fields(Problem), "format": None, "examples": None}
        with_beginning = (
            {"continue_prompt": {**shown, "begun": None, "steps": None, "hint": None}} if self.mode != "prefill" else {}
        )
        return {"prompt": {**shown, "hint": None}, **with_beginning}

    def needs_of_models(self) -> frozenset[Capability]:
        return super().needs_of_models() | ({"prefill"} if self.mode == "prefill" else frozenset())

    def going_on(
        self,
        problem: Problem,
        beginning: Beginning | None,
        model: Model,
        samples: int,
        *,
        hint: str | None = None,
        **parameters: Any,
    ) -> list[Request]:
        """Requests for several continuations of one beginning.

        Args:
            problem: the problem.
            beginning: what is given; None for what the problem itself gives, and where that is nothing this asks as `generate` does.
            model: who is asked.
            samples: how many.
            hint: the gold answer, where the model is shown it.
            parameters: further sampling parameters, which go over those of the step.
        """
        beginning = beginning or Beginning.of_problem(problem, self.segment)
        if beginning is None or not beginning.given:
            form = self.form_for(model)
            first = self.writing(problem, model, Task("solve", problem, hint=hint, format=form), {"hint": hint})
            return self.samples_of(self._with(first, parameters), samples)
        part = Part(kind="step", index=beginning.kept - 1) if beginning.kept else None
        task = Task("continue", problem, subject=beginning.rationale, hint=hint, format="text", part=part)
        of_thought = beginning.rationale is not None and beginning.rationale.steps_of_thought
        in_words = of_thought or self.mode == "prompt"
        if not in_words and "prefill" in model.capabilities:
            first = self.writing(problem, model, task, {"hint": hint})._replace(continue_from=beginning.sent)
        else:
            shown = {"begun": beginning.given, "steps": beginning.steps, "hint": hint}
            first = self.writing(problem, model, task, shown, "continue_prompt")._replace(begun=beginning.given)
        return self.samples_of(self._with(first, parameters), samples)

    @staticmethod
    def _with(request: Request, parameters: Mapping[str, Any]) -> Request:
        return request._replace(parameters={**request.parameters, **parameters}) if parameters else request

    def read_on(
        self, problem: Problem, beginning: Beginning | None, model: Model, request: Request, reply: Completion
    ) -> Rationale:
        """The solution that a continuation makes of its beginning."""
        beginning = beginning or Beginning.of_problem(problem, self.segment)
        if beginning is None:
            return self.read(problem, model, request, reply)
        response, start = beginning.joined(reply.text)
        own = response[start:]
        answer, place = find_answer(own, kind=problem.compared_as, choices=problem.choices)
        thought = None if self.thought == "drop" else reply.thought
        span = place and (place[0] + start, place[1] + start)
        before = beginning.rationale
        if before is None:
            steps, segmenter, given = self._cut_as_a_whole(response, span, start)
        else:
            added, segmenter = cut(thought, own, place, self.segment)
            steps, given = (*beginning.steps, *added), len(beginning.steps)
        return self.read(
            problem,
            model,
            request,
            reply,
            parent=None if before is None else before.id,
            response=response,
            answer=answer,
            answer_span=span,
            steps=steps,
            segmenter=segmenter,
            given=given,
            hinted=request.task.hint is not None if before is None else before.hinted,
            parts={"spans": beginning.spans(len(response))},
        )

    def _cut_as_a_whole(
        self, response: str, span: tuple[int, int] | None, start: int
    ) -> tuple[tuple[str, ...], str, int]:
        """The steps of a solution that a problem began, by the definition for all of it and with no step over the place where the
        continuation starts; the name of the definition, and how many of the steps were given.
        """
        found = uncut(None, response, span, "response")
        end = len(response[:start].strip(BLANKS))
        places = spans(found.text, self.segment, apart=(*found.apart, end))
        return tuple(found.text[a:b] for a, b in places), name_of(self.segment), sum(b <= end for _, b in places)


class ContinuingStep(BeginningStep):
    """A step that has models continue the beginning of a solution."""

    format: Literal["text"] = "text"
    """How the reply is written: text with a last line that states the answer."""
    thought: Literal["keep", "drop"] = "keep"
    """What becomes of the thought of a reasoning model; see `generate`."""

    def uses_of(self, model: Model) -> frozenset[Capability]:
        return super().uses_of(model) | ({"prefill"} if self.mode != "prompt" else frozenset())


def _by_lines(steps: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Steps as lines of one text, and where each stands in it."""
    spans, start = [], 0
    for step in steps:
        spans.append((start, start + len(step)))
        start += len(step) + 1
    return "\n".join(steps), tuple(spans)
