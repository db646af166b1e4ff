"""The steps of PODA: analyses of every option, passages under which another is right, and what became of the old answer."""

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator
from difflib import SequenceMatcher
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, create_model, model_validator

import synth
from synth.alignment import TooAlikeError, aligned
from synth.models import Task
from synth.records import record_fields, solution_of
from synth.verify import find_quote, state_answer

__all__ = [
    "Analysis",
    "analysis_of",
    "analysis_shape",
    "asks_for_exception",
    "organise",
    "relation_in",
    "share_changed",
    "still_follows",
    "write_analysis",
]

Relation = Literal["supported", "contradicted", "unrelated", "mixed"]
"""What the passage says to an option, arXiv:2409.14495: its premises support it, contradict it, do not bear on it, or some
of each."""

_NEGATION = (
    r"(?:\b(?:not|neither|nor|never|hardly|no longer|cannot be|isn't|aren't|without)\b\s*(?:\w+\s+){0,2}?|\bun|\bnon-?)"
)
_SUPPORTED, _CONTRADICTED = r"support(?:s|ed|ing)?\b", r"contradict(?:s|ed|ing|ory)?\b|refuted\b|ruled out\b"
_UNRELATED = re.compile(
    r"\bunrelated\b|\birrelevant\b|\b(?:not|no) (?:\w+ )?(?:related|bearing|relevant|mention\w*)\b|\bneither\b",
    re.IGNORECASE,
)
_MIXED = re.compile(r"\bmixed\b|\bpart(?:ly|ially)\b", re.IGNORECASE)


def relation_in(text: str) -> Relation | None:
    """The relation a phrase names: "supported by 1 and 3", "not supported" (unrelated), "partly supported" (mixed).

    None where it names none. A negated word is not that word, which substring matching of the original took it for.
    """
    text = text.lower()
    if _UNRELATED.search(text):
        return "unrelated"
    if _MIXED.search(text):
        return "mixed"
    found = set()
    for name, pattern in (("supported", _SUPPORTED), ("contradicted", _CONTRADICTED)):
        denied = re.search(_NEGATION + rf"(?:{pattern})", text) is not None
        said = re.search(rf"(?:{pattern})", re.sub(_NEGATION + rf"(?:{pattern})", " ", text)) is not None
        found |= {name} if said else {"unrelated"} if denied else set()
    if {"supported", "contradicted"} <= found:
        return "mixed"
    for relation in ("supported", "contradicted", "unrelated"):
        if relation in found:
            return relation
    return None


def _relation(value: Any) -> Any:
    return (relation_in(value) or value) if isinstance(value, str) and value not in get_args(Relation) else value


def _numbers(value: Any) -> Any:
    return [int(n) for n in re.findall(r"\d+", value)] if isinstance(value, str) else value


_BLOCK = re.compile(r"^[ \t>*#-]*(?:option[ \t]*)?\(?([A-Z])[).:][ \t*]*", re.MULTILINE | re.IGNORECASE)
_ITEM = re.compile(r"^[^\S\n]*(?:\d+[.)]|[-*])\s+(.*)$", re.MULTILINE)
_SECTION = re.compile(r"^[ \t>*#]*(premises|options|conclusion|answer)[ \t*]*:[ \t*]*", re.MULTILINE | re.IGNORECASE)
_RELATION_LINE = re.compile(r"^[ \t>*-]*relation[ \t*]*:(.*)$", re.MULTILINE | re.IGNORECASE)


class Analysis(synth.Reply):
    """The premises of a passage, every option in their light, and the answer."""

    class OptionAnalysis(BaseModel):
        """One option."""

        model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, str_strip_whitespace=True)

        analysis: Annotated[str, Field(min_length=1)]
        """Why it follows, or does not."""
        relation: Annotated[Relation, BeforeValidator(_relation)]
        """What the premises say to it."""
        premises: Annotated[list[int], BeforeValidator(_numbers)] = []
        """Numbers of the premises that bear on it, from 1."""

    premises: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    options: list[OptionAnalysis]
    conclusion: str = ""
    answer: Annotated[str, BeforeValidator(lambda v: v.strip(" ().").upper() if isinstance(v, str) else v)]

    @model_validator(mode="after")
    def _cited_premises_are_there(self) -> "Analysis":
        for letter, option in zip("ABCDEFGHIJ", self.options, strict=False):
            beyond = [n for n in option.premises if not 1 <= n <= len(self.premises)]
            if beyond:
                raise ValueError(f"option {letter} cites premise {beyond[0]}, and there are {len(self.premises)}")
        return self

    @classmethod
    def fields_in(cls, text: str) -> Iterator[dict[str, Any]]:
        """Sections `Premises:`, `Options:`, `Conclusion:`, `Answer:`; a block `A) …` with a line `Relation: …` an option."""
        found = list(_SECTION.finditer(text))
        ends = [*(m.start() for m in found), len(text)][1:]
        parts = {m[1].lower(): text[m.end() : end].strip() for m, end in zip(found, ends, strict=True)}
        if not {"premises", "options", "answer"} <= parts.keys():
            return
        blocks = list(_BLOCK.finditer(parts["options"]))
        stops = [*(m.start() for m in blocks), len(parts["options"])][1:]
        options = []
        for number, (block, stop) in enumerate(zip(blocks, stops, strict=True)):
            if block[1].upper() != chr(ord("A") + number):
                return  # one block an option, in their order
            body = parts["options"][block.end() : stop]
            line = _RELATION_LINE.search(body)
            said = line[1] if line else ""
            options.append({"analysis": _RELATION_LINE.sub("", body).strip(), "relation": said, "premises": said})
        answer = re.search(r"\b([A-J])\b", parts["answer"])
        yield {
            "premises": [" ".join(p.split()) for p in _ITEM.findall(parts["premises"])],
            "options": options,
            "conclusion": parts.get("conclusion", ""),
            "answer": answer[1] if answer else parts["answer"],
        }


@cache
def analysis_shape(options: int) -> type[Analysis]:
    """The shape for a question with so many options."""
    letters = [chr(ord("A") + i) for i in range(options)]
    of_all = (list[Analysis.OptionAnalysis], Field(min_length=options, max_length=options))
    answer = (
        str,
        Field(pattern=f"^[{letters[0]}-{letters[-1]}]$", json_schema_extra={"enum": list[JsonValue](letters)}),
    )
    return create_model("Analysis", __base__=Analysis, options=of_all, answer=answer)


def write_analysis(analysis):
    """An analysis as text, one layout for all; its steps, which are the premises, each option and the conclusion; and where in
    the text the words on each option stand, as (first character, the one after the last).
    """
    steps = ["Premises:\n" + "\n".join(f"{i}. {p}" for i, p in enumerate(analysis.premises, 1))]
    spans = []
    for i, option in enumerate(analysis.options):
        begin = sum(len(step) + 1 for step in steps) + len("A) ")
        spans.append((begin, begin + len(option.analysis)))
        steps.append(f"{chr(ord('A') + i)}) {option.analysis} {_told(option)}")
    if analysis.conclusion:
        steps.append(analysis.conclusion)
    return "\n".join(steps), tuple(steps), spans


def parts_of(analysis, spans):
    """An analysis as the data of a rationale: its fields, and of each option its place in the text, where that is known."""
    parts = analysis.model_dump(mode="json")
    for option, span in zip(parts["options"], spans or [None] * len(parts["options"]), strict=True):
        option["span"] = span and list(span)
    return parts


def _told(option: Analysis.OptionAnalysis) -> str:
    if option.relation == "unrelated" or not option.premises:
        return (
            f"({option.relation.capitalize()}.)" if option.relation != "unrelated" else "(Unrelated to the premises.)"
        )
    numbers = ", ".join(map(str, option.premises))
    return f"({option.relation.capitalize()}{' by' if option.relation != 'mixed' else ': see'} {numbers}.)"


def analysis_of(rationale: synth.Rationale) -> Analysis | None:
    """The analysis a rationale holds; None where it is of another kind."""
    parts = rationale.parts
    return Analysis.model_validate(parts) if isinstance(parts, dict) and "options" in parts else None


class AnalyseOptions(synth.ModelStep):
    """Models list the premises of the passage, say what they mean for each option, and conclude.

    An option is supported, contradicted, unrelated or mixed.
    The gold answer is never shown. `parts` of the rationale has the premises, and of each option its analysis, relation, the
    premises it cites and its `span`: its place in the text, which is written from them in one layout. A reply without one block
    an option, or that cites premises that are not there, is a failure. Source: option-wise rationales of arXiv:2409.14495;
    layout and fields are ours.
    """

    takes: ClassVar = synth.Problem
    gives: ClassVar = (synth.Rationale,)
    needs: ClassVar = frozenset({"context", "choices"})

    step: Literal["analyse_options"] = "analyse_options"
    prompt: str = "analyse.j2"
    """The prompt of PODA, or the path of your own (`.j2`), read from beside the pipeline file."""
    samples: Annotated[int, Field(ge=1, le=64)] = 1
    """Analyses to ask of each model for each problem."""

    def prompt_variables(self):
        return {"problem": record_fields(synth.Problem), "format": None}

    def uses_of(self, model):  # noqa: ARG002
        return frozenset({"json_schema"})

    def problems_with(self, models, authors):
        yield from super().problems_with(models, authors)
        yield from self.equal_samples(self.samples, models)

    async def run(self, records, unit):
        asked = []
        for problem in records:
            for model in unit.models(self.by):
                form = self.form_of_fields(model)
                task = Task("ask", problem, format=form, answers=("answer",))
                shape = analysis_shape(len(problem.choices))
                first = self.request(self.load(), {"problem": problem, "format": form}, task, shape=shape)
                asked += [(model, request, problem) for request in self.samples_of(first, self.samples)]
        made = []
        for (model, request, _), reply in zip(asked, await self.ask_all(asked, unit), strict=True):
            if reply is None:
                continue
            problem = request.task.problem
            text, steps, spans = write_analysis(reply.value)
            response, span = state_answer(text, reply.value.answer, kind="choice", choices=problem.choices)
            solution = solution_of(response, span)  # without a sentence that states the answer, wherever that stands
            if solution[: spans[-1][1]] != text[: spans[-1][1]]:
                spans = None
            made.append(
                self.derive(
                    synth.Rationale,
                    [problem],
                    replies=[reply.key],
                    problem=problem.id,
                    author="teacher",
                    model=model.name,
                    style="options",
                    thought=reply.thought,
                    thought_kind=reply.thought_kind,
                    response=response,
                    answer_span=span,
                    steps=steps,
                    segmenter="options/1",
                    answer=reply.value.answer,
                    parts=parts_of(reply.value, spans),
                    sample=request.sample,
                    tokens=reply.completion_tokens,
                    call=reply.call,
                )
            )
        return made


_EXCEPTION = re.compile(
    r"\b(?:EXCEPT|LEAST|NOT|CANNOT)\b|\bexcept\b|\bleast (?:likely|support|help|weaken|strengthen)", re.ASCII
)
_WORDS = 3
"""An option of fewer words may stand in any passage."""
_META = re.compile(r"\[[^\]\n]{3,60}\]|\{[^{}\n]*\}|^\s*(?:error|sorry|as an ai)\b|<[a-z_]+>", re.IGNORECASE)
"""Text about the text, which the released intermediates of arXiv:2409.14495 are full of."""


def organise(
    premises: int,
    gold: tuple[Relation, Collection[int]],
    option: tuple[Relation, Collection[int]],
) -> list[int]:
    """Which premises of the original may stay when a wrong option is to become right: numbers from 1, in order.

    What made the gold option right (or wrong) goes; where the option stands in another relation to the passage than the
    gold one, what it cites goes too. No citation counts as citing all. Source: the deterministic stage of arXiv:2409.14495.

    Args:
        premises: how many there are.
        gold: the gold option's relation, and the premises it cites.
        option: the same of the option that is to become right.
    """
    every = set(range(1, premises + 1))
    relation, cites = gold[0], set(gold[1]) or every
    other, cited = option[0], set(option[1]) or every
    kept = cites if relation == "unrelated" else every - cites
    if relation in {"supported", "contradicted"}:
        stays = other in {relation, "unrelated"}
    else:
        stays = other == "unrelated"
    return sorted(kept if stays else kept - cited)


def asks_for_exception(question: str) -> bool:
    """Whether the right option is the one that does *not* follow: EXCEPT, NOT, least likely."""
    return _EXCEPTION.search(question) is not None


def share_changed(before: str, after: str) -> float:
    """The share of words that differ between two passages, in [0, 1]; 0 for equal ones, 1 where nothing is shared."""
    a, b = before.split(), after.split()
    try:
        return 1 - aligned(a, b).ratio()
    except TooAlikeError:  # one word many times over: how often each stands in both, in whatever order
        return 1 - SequenceMatcher(None, a, b, autojunk=False).quick_ratio()


class _Premises(synth.Reply):
    """New premises."""

    premises: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=12)]

    @classmethod
    def fields_in(cls, text: str) -> Iterable[dict[str, list[str]]]:  # type: ignore[override]
        """A list: one a line, numbered or with a dash."""
        found = re.findall(r"^[^\S\n]*(?:\d+[.)]|[-*])\s+(.+)$", text, re.MULTILINE)
        if found:
            yield {"premises": found}


class _Passage(synth.Reply):
    """A new passage."""

    passage: Annotated[str, Field(min_length=20)]


class Counterfactual(synth.ModelStep):
    """For each wrong option of a problem whose analysis is right, write a passage in which it is the right one.

    Premises that fit the option are invented, put beside those of the original that may stay, and written as a passage.
    Question and options stay as they are, word for word; the new answer is that option until somebody has verified it.
    The derived problem has the scores `changed` (share of words that differ) and `copied` (1 where the passage holds the
    option word for word, so that whoever looks for it need not read; only asked of options of three words or more), and
    `meta.counterfactual` says which premises were kept, removed and added. Source: arXiv:2409.14495; the scores are ours.
    """

    takes: ClassVar = synth.Rationale
    gives: ClassVar = (synth.Problem, synth.Score)
    needs: ClassVar = frozenset({"answer", "context", "choices"})

    step: Literal["counterfactual"] = "counterfactual"
    prompt: str = "premises.j2"
    """The prompt of PODA, or the path of your own (`.j2`), that asks for new premises."""
    passage_prompt: str = "passage.j2"
    """The same, that asks for the passage."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.75
    """Sampling temperature; this and the next, arXiv:2409.14495, released code."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = 0.9
    """Nucleus sampling."""

    def prompts(self):
        shown = {
            "problem": record_fields(synth.Problem),
            "target": None,
            "exception": None,
            "premises": None,
            "format": None,
        }
        return {"prompt": {**shown, "gold": None, "cited": None}, "passage_prompt": {**shown, "original": None}}

    def uses_of(self, model):  # noqa: ARG002
        return frozenset({"json_schema"})

    def gives_scores(self):
        return ("changed", "copied")

    async def run(self, records, unit):
        asked = []
        for rationale in records:
            problem, analysis = unit.problem_of(rationale), analysis_of(rationale)
            if analysis is not None and rationale.answer == problem.answer:
                asked += [
                    self._derive(problem, rationale, analysis, letter, model, unit)
                    for letter, _ in problem.lettered_choices
                    if letter != problem.answer
                    for model in unit.models(self.by)
                ]
        return [record for made in await asyncio.gather(*asked) for record in made]

    async def _derive(self, problem, rationale, analysis, letter, model, unit):
        relation = {chr(ord("A") + i): (o.relation, o.premises) for i, o in enumerate(analysis.options)}
        assert problem.answer is not None
        kept = organise(len(analysis.premises), relation[problem.answer], relation[letter])
        form = self.form_of_fields(model)
        target = dict(problem.lettered_choices)[letter]
        shown = {
            "problem": problem,
            "target": target,
            "exception": asks_for_exception(problem.question),
            "format": form,
        }
        cited = relation[problem.answer][1] or range(1, len(analysis.premises) + 1)
        premises = [analysis.premises[i - 1] for i in kept]
        first = self.request(
            self.load(),
            {
                **shown,
                "premises": premises,
                "gold": problem.answer_text,
                "cited": [analysis.premises[i - 1] for i in cited],
            },
            Task("ask", problem, subject=rationale, hint=letter, format=form),
            shape=_Premises,
        )
        new = await unit.ask(model, first, rationale)
        if new is None:
            return []
        every = [*premises, *new.value.premises]
        second = self.request(
            self.load("passage_prompt"),
            {**shown, "premises": every, "original": analysis.premises},
            Task("ask", problem, subject=rationale, hint=letter, format=form),
            shape=_Passage,
        )
        written = await unit.ask(model, second, rationale)
        if written is None:
            return []
        passage = written.value.passage
        if (meta := _META.search(passage)) is not None:
            what = f"the passage holds text about itself: {meta[0]!r}"
            return [
                self.derive(synth.Failure, [rationale], replies=[written.key], target=rationale.id, cause="meta_text",
                    message=what, raw=passage, attempts=1, retriable=False, call=written.call,
                )
            ]  # fmt: skip
        derived = self.derive(
            synth.Problem,
            [problem, rationale],
            replies=[new.key, written.key],
            key=letter,
            question=problem.question,
            context=passage,
            choices=problem.choices,
            answer=letter,
            answer_kind=problem.answer_kind,
            meta={
                "counterfactual": {
                    "kept": list(kept),
                    "removed": [i for i in range(1, len(analysis.premises) + 1) if i not in kept],
                    "added": list(new.value.premises),
                    "call": written.call,
                }
            },
            parent=problem.id,
            source=problem.source,
        )
        copied = len(target.split()) >= _WORDS and find_quote(target, passage)
        return [
            derived,
            self._score(derived, "changed", share_changed(problem.context or "", passage)),
            self._score(derived, "copied", float(copied)),
        ]

    def _score(self, problem, name, value):
        return self.derive(synth.Score, [problem], target=problem.id, name=name, value=value, judge="counterfactual/1")


class OriginalFollows(synth.Step):
    """Score each derived problem by the share of its verified rationales that still give the answer the original had, or call
    that option supported by the passage (contradicted, where the question asks for the exception); 0 where there are none.
    """

    takes: ClassVar = synth.Problem
    gives: ClassVar = (synth.Score,)

    step: Literal["original_follows"] = "original_follows"

    def gives_scores(self):
        return ("original_follows",)

    async def run(self, records, unit):
        return [self._score(problem, unit) for problem in records if problem.parent is not None]

    def _score(self, problem, unit):
        solutions = [
            r for r in unit.all(synth.Rationale) if r.problem == problem.id and unit.score(r, "correct") is not None
        ]
        still = sum(still_follows(r, unit.get(problem.parent)) for r in solutions)
        return self.derive(
            synth.Score,
            [problem],
            target=problem.id,
            name="original_follows",
            value=still / len(solutions) if solutions else 0.0,
            judge="original_follows/1",
            reason=f"{still} of {len(solutions)}",
        )


def still_follows(rationale, parent):
    """Whether a rationale comes to the answer of the original problem."""
    if rationale.answer == parent.answer:
        return True
    analysis = analysis_of(rationale)
    if analysis is None or parent.answer is None:
        return False
    relation = analysis.options[ord(parent.answer) - ord("A")].relation
    return relation == ("contradicted" if asks_for_exception(parent.question) else "supported")
