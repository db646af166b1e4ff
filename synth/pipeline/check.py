"""The static check of steps: what each refers to must stand before it, and be made by an enabled step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from synth.corpus import CorpusStep, scores_read
from synth.errors import UserError
from synth.pipeline.draft import Draft, Finding, near
from synth.pipeline.items import Item, Until
from synth.prompts import Expression
from synth.records import RECORD_TYPES, Critique, Pair, Problem, Rationale, UnitRecord, record_fields
from synth.steps import UNIT_VARIABLES, ModelStep, Step, names_of

__all__ = ["Use", "check_corpus", "check_flow", "check_names", "check_prompts", "check_roles"]


class Use(NamedTuple):
    """A step as it was written, and as it was read; None where it could not be."""

    item: Item
    step: Step | None

    @property
    def enabled(self) -> bool:
        """Whether the pipeline has it."""
        return self.step is not None and self.step.enabled


def check_names(steps: Sequence[Step | CorpusStep], draft: Draft) -> None:
    """Note names that are given twice, also to disabled steps."""
    seen: set[str] = set()
    for step in steps:
        if step.name in seen or step.name == "input":
            draft.find(
                step.name,
                "name",
                f"the name {step.name!r} is taken",
                "give one a name: name: …; each use of a step has a name of its own",
            )
        seen.add(step.name)


def check_roles(roles: Any, steps: Sequence[Step], draft: Draft) -> None:
    """Note roles that steps ask and the pipeline does not have.

    Args:
        roles: as written: a mistake elsewhere at the top must not hide those in the steps.
        steps: all steps, disabled ones too.
        draft: takes the findings.
    """
    if not isinstance(roles, dict) or not roles:
        return
    for step in (s for s in steps if isinstance(s, ModelStep)):
        for role in (r for r in step.roles() if r not in roles):
            fix = near(role, roles) or f"its roles: {', '.join(roles)}; add it under roles:"
            draft.find(step.name, "by", f"the pipeline has no role {role!r}", fix)


def check_flow(uses: Sequence[Use], imports: Sequence[str], draft: Draft) -> None:
    """Note references and expressions that name what no earlier step makes.

    An enabled step is checked against the enabled steps before it, a disabled step against all steps before it.

    Args:
        uses: all steps, disabled ones too.
        imports: what the input brings.
        draft: takes the findings.
    """
    flow = _Flow(imports, draft)
    for item, step in uses:
        if step is not None:
            flow.check(step, is_copy=item.original is not None)
        if item.until is not None:
            flow.check_until(item.until)


_IMPORTED: dict[str, type[UnitRecord]] = {"rationale": Rationale, "pair": Pair, "critique": Critique}


_OF_SCORES = frozenset({"score", "label", "judgements", "steps", "options", "problem_score"}) | {
    f"{part}.{of}" for part in ("step", "option") for of in ("score", "label")
}
"""What has scores by name."""
_OF_RECORDS = frozenset({"record", *(kind.alias for kind in RECORD_TYPES if issubclass(kind, UnitRecord))}) - {
    "problem"
}
"""The names of a record in expressions about one."""


class _Made(NamedTuple):
    """What a step makes."""

    kinds: tuple[type[UnitRecord], ...]
    scores: frozenset[str]
    of_problem: frozenset[str]
    """Those of the scores that are of the problem itself."""
    about: str
    """The type of record that it works on."""
    enabled: bool


class _Flow:
    """What the steps so far make, by name."""

    def __init__(self, imports: Sequence[str], draft: Draft) -> None:
        kinds: tuple[type[UnitRecord], ...] = (Problem, *(_IMPORTED[kind] for kind in imports if kind in _IMPORTED))
        scores = frozenset(i.removeprefix("score.") for i in imports if i.startswith("score."))
        self._draft = draft
        self._made = {"input": _Made(kinds, scores, scores, "problem", enabled=True)}

    def check(self, step: Step, *, is_copy: bool) -> None:
        """Note what is wrong with a step, and that it has been.

        Args:
            step: the step.
            is_copy: whether it stands in a later iteration; the conditions it has from the first are checked there.
        """
        find, kind = self._draft.find, step.takes_type()
        seen = {name: made for name, made in self._made.items() if made.enabled or not step.enabled}
        self._check_references(step, seen)
        for option in ("by", *step.names_steps):
            if getattr(step, option, None) == ():
                nobody = "asks nobody" if option == "by" else "names no step"
                find(step.name, option, f"{option} {nobody}", f"name one, or leave {option} out")
        scores = frozenset[str]().union(*(made.scores for made in seen.values()))
        named = None if self._draft.incomplete else scores
        known = names_of(kind, named) | dict(step.sees())
        known |= {f"{part}.{of}": named for part in ("step", "option") if part in known for of in ("score", "label")}
        for option, source in {**({"where": step.where} if step.where else {}), **step.expressions()}.items():
            for what, fix in self._wrong_with(source, known):
                find(step.name, option, what, fix)
        if not is_copy:
            known = self._known(frozenset[str]().union(*(made.of_problem for made in seen.values())))
            conditions = {"when": step.when, "unless": step.unless}
            for option, condition in conditions.items():
                for what, fix in () if condition is None else self._wrong_with(condition, known):
                    find(step.name, option, what, fix)
        self._check_score_option(step, scores)
        made = frozenset(step.gives_scores())
        of_problem = frozenset(step.gives_problem_scores())
        self._made[step.name] = _Made(step.gives_types(), made, of_problem, kind.alias, step.enabled)

    def check_until(self, until: Until) -> None:
        """Note what is wrong with the condition of a `repeat`, after the steps of its first iteration."""
        scores = frozenset[str]().union(*(made.of_problem for made in self._made.values() if made.enabled))
        for what, fix in self._wrong_with(until.source, self._known(scores)):
            self._draft.findings.append(Finding(*until.place, f"until: {what}", fix))

    def _known(self, scores: frozenset[str]) -> dict[str, frozenset[str] | None]:
        """The names that any expression sees, with the fields of each; None where it is not known which there are."""
        named = None if self._draft.incomplete else scores
        return {"problem": record_fields(Problem), "score": named, "label": named, "unit": UNIT_VARIABLES}

    def _check_references(self, step: Step, seen: Mapping[str, _Made]) -> None:
        find, kind = self._draft.find, step.takes_type()
        for option, name in [(option, n) for option, names in step.refers_to().items() for n in names]:
            named = step.named_by(option)
            if name in self._made and name not in seen:
                what = f"it works on what the step {name!r} makes, which is disabled (enabled: false)"
                find(step.name, option, what, f"enable {name}, disable this step too, or name another step")
            elif name not in seen and not self._draft.incomplete:
                fix = near(name, seen) or f"earlier steps: {', '.join(seen)}"
                find(step.name, option, f"there is no earlier step {name!r}", fix)
            elif name in seen and named not in seen[name].kinds:
                makers = [n for n, made in seen.items() if named in made.kinds]
                fix = f"steps that make one: {', '.join(makers) or 'none so far'}"
                find(step.name, option, f"it works on a {named.alias}, and {name!r} makes none", fix)
        if not self._draft.incomplete and not any(kind in made.kinds for made in seen.values()):
            off = [n for n, made in self._made.items() if kind in made.kinds]
            fix = f"put a step that makes a {kind.alias} before it"
            if off:
                fix += f", or enable one: {', '.join(off)}"
            if kind.alias in _IMPORTED:
                fix += f", or, where the input brings them: imports: [{kind.alias}]"
            find(step.name, "step", f"it works on a {kind.alias}, and no earlier step makes one", fix)

    def _wrong_with(self, source: str, known: Mapping[str, frozenset[str] | None]) -> Iterator[tuple[str, str]]:
        """What is wrong with an expression, as (what, fix)."""
        try:
            unknown = Expression(source).unknown_names(known)
        except UserError as error:
            yield f"the expression {source!r} does not compile: {error.what}", f"fix it; it is Jinja2: {error.fix}"
            return
        for name in unknown:
            owner, _, attribute = name.rpartition(".") if "." in name else (name, "", "")
            fields = known.get(owner)
            if name in _OF_RECORDS and "record" not in known:
                yield (
                    f"{source!r}: unknown name {name!r}",
                    "this condition is about the problem; where: is about each record",
                )
            elif not attribute or fields is None:
                yield f"{source!r}: unknown name {name!r}", near(name, known) or f"names: {', '.join(known)}"
            elif owner in _OF_SCORES:
                yield self._wrong_score(source, attribute, fields)
            else:
                fix = near(attribute, fields) or f"fields: {', '.join(sorted(fields))}"
                yield f"{source!r}: {owner} has no {attribute!r}", fix

    def _wrong_score(self, source: str, score: str, known: frozenset[str]) -> tuple[str, str]:
        """Why an expression cannot see a score, and what to do."""
        makers = {name: made for name, made in self._made.items() if score in made.scores}
        enabled = [name for name, made in makers.items() if made.enabled]
        if enabled:
            about = makers[enabled[0]].about
            what = f"{source!r}: the score {score!r} is of a {about}, and this condition is about the problem"
            return (
                what,
                "use a score of the problem, such as that of pass_rate, or the records that are kept: unit.rationales",
            )
        if makers:
            off = next(iter(makers))
            what = f"{source!r}: the score {score!r} is made by the step {off!r}, which is disabled (enabled: false)"
            return what, f"enable {off}, or disable this step too"
        fix = near(score, known) or f"scores: {', '.join(sorted(known)) or 'none so far'}"
        return f"{source!r}: no earlier step makes the score {score!r}", fix

    def _check_score_option(self, step: Step, scores: frozenset[str]) -> None:
        """A step that reads scores by its options, `score` or what `reads_scores` has, must find them made before."""
        own = getattr(step, "score", None)
        wanted = dict(step.reads_scores())
        if isinstance(own, str) and own not in step.gives_scores():
            wanted["score"] = (own,)
        for option, name in [(option, n) for option, names in wanted.items() for n in names if n not in scores]:
            if self._draft.incomplete:
                return
            fix = near(name, scores) or f"scores so far: {', '.join(sorted(scores)) or 'none'}"
            self._draft.find(step.name, option, f"no earlier step makes the score {name!r}", fix)


def check_corpus(steps: Sequence[Step], corpus: Sequence[CorpusStep], imports: Sequence[str], draft: Draft) -> None:
    """Note what is wrong with the corpus steps: their own mistakes, and scores by which they rank that no step makes.

    Args:
        steps: the enabled steps.
        corpus: the enabled corpus steps.
        imports: what the input brings.
        draft: takes the findings.
    """
    scores = dict.fromkeys(i.removeprefix("score.") for i in imports if i.startswith("score."))
    scores |= dict.fromkeys(name for step in steps for name in step.gives_scores())
    for index, step in enumerate(corpus):
        for option, what, fix in step.problems_with():
            draft.find(step.name, option, what, fix)
        if step.once and any(earlier.step == step.step for earlier in corpus[:index]):
            what = f"a second {step.step}, and a record holds the result of one"
            draft.find(step.name, "step", what, "leave one of them out")
        for option, source in () if draft.incomplete else step.sources():
            for name in scores_read(source):
                if name not in scores and name != "human":  # which people give, in the browser
                    fix = near(name, [*scores, "length"]) or f"scores: {', '.join(scores) or 'none'}; or length"
                    draft.find(step.name, option, f"no step before makes the score {name!r}", fix)
        scores |= dict.fromkeys(step.gives_scores)


def check_prompts(steps: Sequence[Step], draft: Draft) -> dict[str, str]:
    """Note what is wrong with the prompts of steps; gives their labels, by step and option."""
    labels: dict[str, str] = {}
    for step in (s for s in steps if isinstance(s, ModelStep)):
        for option, known in step.prompts().items():
            try:
                prompt = step.load(option)
            except UserError as error:
                draft.find(step.name, option, error.what, error.fix or "")
                continue
            try:
                for name, line in prompt.unknown_variables(known):
                    owner, _, field = name.rpartition(".")
                    offered = known.get(owner) if owner else known
                    fix = (
                        near(field, offered or ())
                        or f"{'fields' if owner else 'variables'}: {', '.join(sorted(offered or ()))}"
                    )
                    draft.find(step.name, option, f"{prompt.name}, line {line}: unknown variable {name!r}", fix)
                for text, line in prompt.stray_text()[:1]:
                    what = f"{prompt.name}, line {line}: {text[:40]!r} stands outside of every message, and would not be sent"
                    draft.find(
                        step.name, option, what, "put it into {% call user() %}…{% endcall %} (or system, assistant)"
                    )
                labels[f"{step.name}.{option}"] = prompt.label
                prompt.check()
            except UserError as error:
                what = f"the prompt does not compile ({error.where or 'as a whole'}): {error.what}"
                draft.find(step.name, option, what, f"fix the template: {error.fix}")
    return labels
