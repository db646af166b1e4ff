"""The steps of thought trees: elements of a rubric decided by votes, and paths of the decisions reported as rationales."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

import synth
from synth.errors import UserError
from synth.models import Capability, Completion, Model, Request, Task
from synth.prompts import Rule
from synth.records import Failure, Node, Problem, Rationale, Rejection, Score, UnitRecord, content_id, record_fields
from synth.steps import Unit
from synth.steps.segmentation import segment
from synth.verify import find_quote, quotes_in, state_answer

__all__ = ["Element", "Rubric", "RubricTree", "VerbalizePath", "read_rubric"]

_FORM = (
    'write {"elements": ["Does the answer …?", …], "rule": "3 if count >= 3 else count", "marks": {"0": "…", …}}; an '
    'element may have a name for the rule: {"name": "conclusion", "question": "Is there a conclusion?"}'
)
_ENUMERATED = 12
"""Up to so many elements all cases of a rule are gone through beforehand."""


class Element(NamedTuple):
    """One question of the scheme, to be answered yes or no."""

    name: str
    question: str


class Rubric(NamedTuple):
    """A scheme that has been checked."""

    elements: tuple[Element, ...]
    rule: str
    marks: tuple[tuple[str, str], ...]
    """What each mark stands for, lowest first; may be empty."""

    def mark(self, decisions: Mapping[str, bool]) -> str:
        """The mark for these answers, by element name. Source: rule-scored leaves of arXiv:2406.19949."""
        return _mark(self.rule, tuple((e.name, decisions[e.name]) for e in self.elements))

    @property
    def best(self) -> str | None:
        """The full mark; None where there are too many elements to find out."""
        reach = _reach(self.rule, tuple(e.name for e in self.elements))
        return max(reach, key=float) if reach else None


class _Form:
    """How a rubric is written in the rows of a data set."""

    class Named(BaseModel):
        """An element with a name for the rule."""

        model_config = ConfigDict(extra="forbid")
        name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
        question: Annotated[str, Field(min_length=1)]

    class Whole(BaseModel):
        """All of it."""

        model_config = ConfigDict(extra="forbid")
        elements: list[Annotated[str, Field(min_length=1)] | _Form.Named] = []
        rule: str | None = None
        marks: dict[str, str] = {}


def read_rubric(problem: Problem, rule: str | None = None) -> Rubric:
    """The scheme of a problem: its `rubric`, with its `evidence` for elements where the rubric has none.

    Args:
        problem: the problem.
        rule: a rule (`synth.prompts.Rule`) for the mark over `count` (how many are yes) and the elements by name, where the rubric has
            none of its own; without any the mark is `count`.

    Raises:
        UserError: there is no scheme, or it cannot be used; says why.
    """
    try:
        form = _Form.Whole.model_validate(problem.rubric if problem.rubric is not None else {})
    except ValidationError as error:
        e = error.errors(include_input=False)[0]
        raise UserError(
            f"the rubric is not of its form: {'.'.join(map(str, e['loc']))}: {e['msg']}", fix=_FORM
        ) from error
    given = form.elements or list(problem.evidence)
    if not given:
        raise UserError("the rubric has no elements", fix=_FORM)
    elements = tuple(
        Element(f"e{i}", e) if isinstance(e, str) else Element(e.name, e.question) for i, e in enumerate(given, 1)
    )
    names = tuple(e.name for e in elements)
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise UserError(f"the rubric has two elements {twice!r}", fix="give each a name of its own")
    by_mark = tuple(sorted(form.marks.items(), key=lambda m: _number(m[0])))
    rubric = Rubric(elements, form.rule or rule or "count", by_mark)
    _check(rubric.rule, names)
    reach = _reach(rubric.rule, names)
    if reach is not None:
        if form.marks and (other := sorted(reach - set(form.marks))):
            raise UserError(
                f"the rule {rubric.rule!r} gives the mark {other[0]}, which the rubric does not describe", fix=_FORM
            )
        if problem.answer is not None and _number(problem.answer) not in {float(m) for m in reach}:
            raise UserError(
                f"no answers to its elements give the gold mark {problem.answer!r} (rule {rubric.rule!r})", fix=_FORM
            )
    return rubric


def _number(mark: str) -> float:
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*", mark)
    if found is None:
        raise UserError(f"the mark {mark!r} is not a number", fix=_FORM)
    return float(found[1])


@lru_cache(maxsize=4096)
def _check(rule: str, names: tuple[str, ...]) -> None:
    try:
        unknown = Rule(rule).unknown_names(dict.fromkeys(("count", *names)))
    except UserError as error:
        raise UserError(f"the rule {rule[:200]!r} does not compile: {error.what}", fix=_FORM) from error
    if unknown:
        raise UserError(
            f"the rule {rule!r} names an unknown element {unknown[0]!r}", fix=f"it knows: count, {', '.join(names)}"
        )
    _mark(rule, tuple((name, False) for name in names))


@lru_cache(maxsize=65536)
def _mark(rule: str, decisions: tuple[tuple[str, bool], ...]) -> str:
    try:
        return f"{Rule(rule)({**dict(decisions), 'count': sum(yes for _, yes in decisions)}):g}"
    except UserError as error:
        raise UserError(f"the rule {rule!r} gives no mark: {error.what}", fix=_FORM) from error


@lru_cache(maxsize=4096)
def _reach(rule: str, names: tuple[str, ...]) -> frozenset[str] | None:
    """All marks the rule can give; None where there are too many cases to go through."""
    if len(names) > _ENUMERATED:
        return None
    return frozenset(
        _mark(rule, tuple(zip(names, case, strict=True))) for case in product((False, True), repeat=len(names))
    )


_PLAIN = re.compile(r"\W*(yes|no)\W*", re.IGNORECASE)


class _Decided(synth.Reply):
    """A vote."""

    decision: Annotated[Literal["yes", "no"], BeforeValidator(lambda v: v.lower() if isinstance(v, str) else v)]


class _Justified(synth.Reply):
    """Why."""

    reason: Annotated[str, Field(min_length=1)]
    quote: str = ""


class _Path(NamedTuple):
    """A branch of the tree on its way down."""

    decisions: tuple[tuple[Element, str], ...]
    weight: float
    leaf: Node | None


class _Child(NamedTuple):
    path: _Path
    decision: str
    share: float
    voters: int
    votes: tuple[Completion, ...]

    @property
    def weight(self) -> float:
        return self.path.weight * self.share


class RubricTree(synth.ModelStep):
    """Decide the elements of a rubric one by one by votes, and branch where the voters disagree.

    Each element is a level. Where all votes agree there is one child, else two, weighted by their shares; the weight of
    a path is the product. Each decision is justified by a quotation, looked up in the text. A leaf has the mark the rule
    gives. Scores: `path_weight` of a leaf; `quoted` of a node (1 if its quotation stands in the text); of the problem
    `max_path` and `sum_by_answer` (label: the mark of the heaviest path, and that with the largest sum of weights; value:
    that weight) and `pruned_mass`. Source: arXiv:2406.19949, whose votes that are neither yes nor no are left in the sum
    (here they are not), and whose prediction is `max_path`.
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Node, Score, Rejection)
    needs: ClassVar[frozenset[str]] = frozenset({"context"})

    step: Literal["rubric_tree"] = "rubric_tree"
    prompt: str = "decide.j2"
    """Name of a shipped prompt, or path of your own (`.j2`), that asks for one vote."""
    justify_prompt: str = "justify.j2"
    """The same, that asks why."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] | None = 16
    """Most tokens of a vote."""
    votes: Annotated[int, Field(ge=1, le=256)] = 10
    """Votes of each model on each element."""
    justify: bool = True
    """Whether each decision is to be justified: one more call a node."""
    justify_tokens: Annotated[int, Field(ge=1)] = 256
    """Most tokens of a justification."""
    history: Literal["taken", "none"] = "taken"
    """Whether voters see the decisions taken on their branch."""
    order: Literal["given", "reverse", "shuffle"] = "given"
    """In which order elements are asked; `shuffle`: another for each problem, the same each time."""
    rule: str | None = None
    """The mark as an expression over `count` (how many are yes) and the elements by name, for rubrics without a rule."""
    max_leaves: Annotated[int, Field(ge=1)] = 32
    """The heaviest branches go on, so many at a time; K elements may make 2^K."""
    min_path_weight: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Branches lighter than this do not go on."""

    def prompts(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        shown = {"problem": record_fields(Problem), "element": None, "history": None, "format": None}
        return {"prompt": shown, **({"justify_prompt": {**shown, "decision": None}} if self.justify else {})}

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    def gives_scores(self) -> tuple[str, ...]:
        return ("path_weight", "quoted", "max_path", "sum_by_answer", "pruned_mass")

    def check_input(self, problem: Problem) -> str | None:
        try:
            read_rubric(problem, self.rule)
        except UserError as error:
            return error.what
        return None

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        if self.votes > 1 and self.temperature == 0:
            yield "temperature", f"{self.votes} votes at temperature 0 are one", "set temperature above 0, or votes: 1"

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for problem in records:
            made += await self._grow(problem, read_rubric(problem, self.rule), unit)
        return made

    async def _grow(self, problem: Problem, rubric: Rubric, unit: Unit) -> list[UnitRecord]:
        made: list[UnitRecord] = []
        paths = [_Path((), 1.0, None)]
        elements = self._ordered(rubric, problem)
        for depth, element in enumerate(elements):
            polled = await asyncio.gather(*(self._poll(path, element, problem, unit) for path in paths))
            children = [child for some in polled for child in some]
            lost = [path for path, some in zip(paths, polled, strict=True) if not some]
            made += [self._undecided(path, element, problem) for path in lost]
            heavy = sorted(children, key=lambda c: -c.weight)[: self.max_leaves]  # stable
            going = [c for c in heavy if c.weight >= self.min_path_weight]
            justifications = await asyncio.gather(*(self._justification(c, element, problem, unit) for c in going))
            why = dict(zip(map(id, going), justifications, strict=True))
            paths = []
            for child in children:
                last = depth == len(elements) - 1
                node, scores = self._node(child, element, depth, problem, rubric if last else None, why.get(id(child)))
                made += [node, *scores]
                if id(child) in why:
                    taken = (*child.path.decisions, (element, child.decision))
                    paths.append(_Path(taken, child.weight, node))
                else:
                    rule = f"path weight >= {self.min_path_weight:g}, at most {self.max_leaves} branches"
                    made.append(self.reject(node, rule, {"path_weight": child.weight}))
        return [*made, *self._totals(paths, problem)]

    def _ordered(self, rubric: Rubric, problem: Problem) -> list[Element]:
        elements = list(rubric.elements)
        if self.order == "shuffle":
            return sorted(elements, key=lambda e: content_id([problem.id, e.name]))
        return elements[::-1] if self.order == "reverse" else elements

    async def _poll(self, path: _Path, element: Element, problem: Problem, unit: Unit) -> list[_Child]:
        asked: list[tuple[Model, Request, UnitRecord]] = []
        for model in unit.models(self.by):
            form = self.form_of_fields(model)
            task = Task("ask", problem, format=form)
            shown = self._shown(path, element, problem) | {"format": form}
            first = self.request(self.load(), shown, task, shape=_Decided if form == "json" else None)
            asked += [(model, request, problem) for request in self.samples_of(first, self.votes)]
        votes: dict[str, list[Completion]] = {}
        for reply in await self.ask_all(asked, unit):
            if reply is not None and (decision := _decision(reply)) is not None:
                votes.setdefault(decision, []).append(reply)
        valid = sum(map(len, votes.values()))
        return [
            _Child(path, decision, len(votes[decision]) / valid, valid, tuple(votes[decision]))
            for decision in ("yes", "no")
            if decision in votes
        ]

    async def _justification(self, child: _Child, element: Element, problem: Problem, unit: Unit) -> Completion | None:
        if not self.justify:
            return None
        model = unit.models(self.by)[0]
        form = self.form_of_fields(model)
        shown = self._shown(child.path, element, problem) | {"format": form, "decision": child.decision}
        task = Task("ask", problem, hint=child.decision, format=form)
        limit = {"max_tokens": self.justify_tokens}
        request = self.request(self.load("justify_prompt"), shown, task, shape=_Justified, parameters=limit)
        return await unit.ask(model, request, problem)

    def _shown(self, path: _Path, element: Element, problem: Problem) -> dict[str, Any]:
        history = (
            [{"question": e.question, "decision": d} for e, d in path.decisions] if self.history == "taken" else []
        )
        return {"problem": problem, "element": element.question, "history": history}

    def _node(
        self,
        child: _Child,
        element: Element,
        depth: int,
        problem: Problem,
        rubric: Rubric | None,
        why: Completion | None,
    ) -> tuple[Node, list[Score]]:
        said: _Justified | None = why.value if why is not None else None
        parent = child.path.leaf
        decisions = {e.name: d == "yes" for e, d in (*child.path.decisions, (element, child.decision))}
        keys = [v.key for v in (*child.votes, *([why] if why is not None else []))]
        node = self.derive(
            Node,
            [problem, *([parent] if parent else [])],
            replies=keys,
            key=[element.name, child.decision, child.voters],
            problem=problem.id,
            parent=parent.id if parent is not None else None,
            depth=depth,
            text=element.question,
            decision=child.decision,
            reason=said.reason if said is not None else None,
            quote=(said.quote or None) if said is not None else None,
            value=child.share,
            visits=child.voters,
            terminal=rubric is not None,
            answer=rubric.mark(decisions) if rubric is not None else None,
            call=why.call if why is not None else child.votes[0].call,
        )
        scores = []
        if rubric is not None:
            scores.append(self._score(node, "path_weight", child.weight))
        if node.quote is not None:
            found = find_quote(node.quote, problem.context or "")
            scores.append(self._score(node, "quoted", float(found), "found" if found else "missing"))
        return node, scores

    def _undecided(self, path: _Path, element: Element, problem: Problem) -> Failure:
        taken = ", ".join(d for _, d in path.decisions) or "none"
        return self.derive(
            Failure,
            [problem, *([path.leaf] if path.leaf is not None else [])],
            target=path.leaf.id if path.leaf is not None else problem.id,
            cause="no_valid_votes",
            message=f"no vote on {element.question!r} is a yes or a no (decisions before it: {taken})",
            retriable=False,
        )

    def _totals(self, paths: Sequence[_Path], problem: Problem) -> list[Score]:
        leaves = [(p.leaf.answer, p.weight) for p in paths if p.leaf is not None and p.leaf.answer is not None]
        lost = 1 - sum(weight for _, weight in leaves)
        made = [self._score(problem, "pruned_mass", lost if lost > 1e-9 else 0.0)]  # what rounding leaves is nothing
        if leaves:
            mark, weight = max(leaves, key=lambda leaf: leaf[1])
            sums: Counter[str] = Counter()
            for answer, share in leaves:
                sums[answer] += share  # type: ignore[assignment]  # a Counter of weights
            (top, total), *_ = sums.most_common(1)
            made += [self._score(problem, "max_path", weight, mark), self._score(problem, "sum_by_answer", total, top)]
        return made

    def _score(self, target: UnitRecord, name: str, value: float, label: str | None = None) -> Score:
        return self.derive(
            Score,
            [target],
            target=target.id,
            name=name,
            value=value,
            label=label,
            judge="rubric_tree/1",
        )


def _decision(reply: Completion) -> str | None:
    """The decision of a vote; None where it is neither a plain yes nor a plain no."""
    if reply.value is not None:
        decided: str = reply.value.decision
        return decided
    found = _PLAIN.fullmatch(reply.text.strip())
    return found[1].lower() if found else None


class _Summary(synth.Reply):
    """What the model is to write."""

    rationale: Annotated[str, Field(min_length=1)]
    mark: str
    suggestion: str = ""


class VerbalizePath(synth.ModelStep):
    """Tell each path of a `rubric_tree` as a rationale for its mark, faithful to the decisions on it.

    A summary that states another mark than its path, or puts words in quotation marks that do not stand in the text, is
    rejected. At full mark the suggestion for improvement is left out. The rationale has the score `path_weight`.
    Source: arXiv:2406.19949, stage 2; the two checks are ours.
    """

    takes: ClassVar[type[UnitRecord]] = Node
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale, Score, Rejection)

    step: Literal["verbalize_path"] = "verbalize_path"
    prompt: str = "summarize.j2"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    rule: str | None = None
    """The mark as an expression, as for `rubric_tree`; only the full mark is taken from it."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        return {
            "problem": record_fields(Problem),
            "path": None,
            "mark": None,
            "marks": None,
            "full": None,
            "format": None,
        }

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    def gives_scores(self) -> tuple[str, ...]:
        return ("path_weight",)

    async def run(self, records: Sequence[Node], unit: Unit) -> Iterable[UnitRecord]:
        asked = []
        for leaf in (n for n in records if n.terminal):
            problem = unit.problem_of(leaf)
            rubric = read_rubric(problem, self.rule)
            shown = {
                "problem": problem,
                "path": unit.path_to(leaf),
                "mark": leaf.answer,
                "marks": rubric.marks,
                "full": leaf.answer == rubric.best,
            }
            for model in unit.models(self.by):
                form = self.form_of_fields(model)
                task = Task("ask", problem, subject=leaf, hint=leaf.answer, format=form)
                asked.append((model, self.request(self.load(), {**shown, "format": form}, task, shape=_Summary), leaf))
        replies = await self.ask_all(asked, unit)
        made: list[UnitRecord] = []
        for (model, request, leaf), reply in zip(asked, replies, strict=True):
            if reply is not None:
                made += self._read(leaf, model, request.task.format, reply, unit)
        return made

    def _read(self, leaf: Node, model: Model, form: str, reply: Completion, unit: Unit) -> list[UnitRecord]:
        problem, said = unit.problem_of(leaf), reply.value
        full = leaf.answer == read_rubric(problem, self.rule).best
        suggestion = "" if full else said.suggestion
        text = f"{said.rationale}\nSuggestion: {suggestion}" if suggestion else said.rationale
        steps, segmenter = segment(text)
        response, span = state_answer(text, str(leaf.answer), kind=problem.compared_as)
        rationale = self.derive(
            Rationale,
            [leaf],
            replies=[reply.key],
            problem=leaf.problem,
            author="teacher",
            model=model.name,
            style=f"path_summary/{form}",
            thought=reply.thought,
            thought_kind=reply.thought_kind,
            response=response,
            answer_span=span,
            steps=steps,
            segmenter=segmenter,
            answer=leaf.answer,
            parts={"decisions": [[n.text, n.decision] for n in unit.path_to(leaf)]},
            node=leaf.id,
            tokens=reply.completion_tokens,
            call=reply.call,
        )
        made: list[UnitRecord] = [rationale]
        made += (
            self.derive(
                Score, [rationale], target=rationale.id, name="path_weight", value=weight.value, judge=weight.judge
            )
            for weight in unit.judgements(leaf, "path_weight")
        )
        missing: list[JsonValue] = [
            q for q in quotes_in(said.rationale) if not find_quote(q, f"{problem.context} {problem.question}")
        ]
        if said.mark.strip().removesuffix(".0") != leaf.answer:
            made.append(self.reject(rationale, "states the mark of its path", {"path": leaf.answer, "said": said.mark}))
        elif missing:
            made.append(self.reject(rationale, "quotes only what is there", {"not there": missing}))
        return made
