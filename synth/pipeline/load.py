"""From a pipeline file to a pipeline, and the static check: every mistake at once, each with file, line and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from synth.bounded import nearest
from synth.corpus import CORPUS_STEPS, CorpusStep, scores_read
from synth.errors import PipelineError, UserError
from synth.files import Reach, read_file
from synth.models import Model
from synth.pipeline.catalogue import catalogue, find_pipeline
from synth.pipeline.spec import Pipeline, PipelineHead
from synth.prompts import Expression
from synth.records import Critique, Pair, Problem, Rationale, UnitRecord
from synth.shipped import shipped
from synth.steps import ModelStep, Step, all_steps, names_of
from synth.yaml_text import MOST_BYTES, NotYaml, parse_yaml
from synth.yaml_text import Path as YamlPath

__all__ = ["Draft", "Finding", "load_pipeline", "read_pipeline"]


class Finding(NamedTuple):
    """One mistake in a pipeline."""

    file: str
    """The file; of a pipeline given as a mapping the place in it, such as `steps[0].samples`."""
    line: int
    """From 1; 0 in a mapping, which has no lines."""
    what: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.what}\n  → {self.remedy}"


@dataclass
class Draft:
    """A pipeline file as read, with the mistakes found in it so far."""

    pipeline: Pipeline | None = None
    findings: list[Finding] = field(default_factory=list)
    in_the_dark: bool = False
    """Whether a step could not be told at all, so that nothing is known of what it would make."""
    places: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """File and line of each option, by step name and option."""

    def find(self, step: str, option: str, what: str, remedy: str) -> None:
        """Note a mistake in an option of a step."""
        file, line = self.places.get((step, option)) or self.places.get((step, "step")) or ("", 1)
        self.findings.append(Finding(file, line, f"step {step}: {what}", remedy))

    def check_models(self, models: Mapping[str, Sequence[Model]]) -> None:
        """Note what the bound models cannot do that the steps need."""
        if self.pipeline is None:
            return
        made_by = {s.name: s.roles() for s in self.pipeline.model_steps}
        for index, step in enumerate(self.pipeline.steps):
            for role in step.roles() if isinstance(step, ModelStep) else ():
                if not models.get(role):
                    self.find(
                        step.name,
                        "by",
                        f"nobody plays the role {role!r}",
                        f"name a model: --model {quote(f'{role}=NAME')}",
                    )
                for model in models.get(role, ()):
                    assert isinstance(step, ModelStep)
                    for lacking in sorted(step.needs_of_models() - model.capabilities - model.unknown):
                        what = f"needs {lacking}, which model {model.name} does not have"
                        self.find(step.name, "by", what, f"bind another model, or add {lacking} to its capabilities")
            sources = self.pipeline.sources_of(index) or tuple(made_by)
            roles = dict.fromkeys(role for name in sources for role in made_by.get(name, ()))
            authors = [t for role in roles for t in models.get(role, ())]
            for option, what, remedy in step.problems_with(models, authors):
                self.find(step.name, option, what, remedy)

    def checked(self) -> Pipeline:
        """The pipeline.

        Raises:
            PipelineError: there are mistakes; it lists them all.
        """
        if self.findings or self.pipeline is None:
            ordered = sorted(dict.fromkeys(self.findings))
            n = len(ordered)
            head = f"{n} mistake{'s' if n != 1 else ''} in the pipeline; nothing was asked, nothing was spent"
            raise PipelineError("\n".join([head, *map(str, ordered)]))
        return self.pipeline


def load_pipeline(given: str | Path | Mapping[str, Any], *, media_from: Sequence[str | Path] | None = None) -> Pipeline:
    """The pipeline of that name (of the catalogue) or path (of a file, or of a folder with a `pipeline.yaml`); or one written
    as a mapping.

        synth.load_pipeline({"pipeline": "my/short", "extends": "fine-tune-cot", "override": {"sample": {"samples": 1}}})

    Args:
        given: a name, a path, or what a pipeline file would hold; files it names are then read from the working folder.
        media_from: as in `read_pipeline`.

    Raises:
        PipelineError: there is none, or it does not pass the static check.
    """
    return read_pipeline(given, media_from=media_from).checked()


def read_pipeline(
    given: str | Path | Mapping[str, Any],
    folder: Path | None = None,
    media_from: Sequence[str | Path] | None = None,
) -> Draft:
    """Read a pipeline and note every mistake that can be seen without its models.

    Args:
        given: as `load_pipeline` takes it.
        folder: where relative paths begin in a mapping; None for the working folder.
        media_from: folders whose files it may name beside those in the folder of the pipeline and below. None: no others in
            a pipeline file, and any in a mapping, which the user wrote.

    Raises:
        PipelineError: there is no such pipeline.
    """
    draft = Draft()
    allowed = None if media_from is None else tuple(Path(one).expanduser() for one in media_from)
    if isinstance(given, Mapping):
        folder = (folder or Path()).resolve()
        merged = _read_mapping(given, Reach(folder, allowed), draft)
        origin: str | tuple[dict[str, Any], Path] = (dict(given), folder)
    else:
        path = find_pipeline(str(given))
        merged = _read_file(path, Reach(path.parent, allowed or ()), draft, ())
        origin = str(given) if path in catalogue().values() else str(path)  # of a folder, the file in it
    if merged is not None:
        _build(merged, draft, origin)
    return draft


@dataclass
class _File:
    """The content of a pipeline file with what it extends merged in."""

    path: Path
    reach: Reach
    data: dict[str, Any]
    steps: list[dict[str, Any]]
    corpus: list[dict[str, Any]]
    place: dict[YamlPath, tuple[str, int]]

    def at(self, *path: str | int) -> tuple[str, int]:
        """File and line of a value, or of what holds it."""
        while path not in self.place and path:
            path = path[:-1]
        return self.place[path]


def _read_file(path: Path, reach: Reach, draft: Draft, seen: tuple[Path, ...]) -> _File | None:
    shown = _shown(path)
    try:
        data, lines, mistakes = parse_yaml(read_file(path, MOST_BYTES), words_only=True)
    except NotYaml as error:
        draft.findings.append(Finding(shown, error.line, f"this is not YAML: {error.what}", "correct the line"))
        return None
    except UserError as error:
        raise PipelineError(error.what, where=shown, remedy=error.remedy) from error
    for line, what in mistakes:
        draft.findings.append(Finding(shown, line, *what.split(": ", 1)))
    if not isinstance(data, dict):
        draft.findings.append(Finding(shown, 1, "the file holds no pipeline", "begin with pipeline: family/name"))
        return None
    place = {(): (shown, 1)} | {p: (shown, line) for p, line in lines.items()}
    return _with_base(path, reach, data, place, draft, seen)


def _read_mapping(given: Mapping[str, Any], reach: Reach, draft: Draft) -> _File | None:
    try:
        data: dict[str, Any] = orjson.loads(orjson.dumps(given))
    except orjson.JSONEncodeError as error:
        raise PipelineError(
            f"the mapping holds something that a pipeline file could not: {error}",
            remedy="write steps as mappings, with texts, numbers and lists",
        ) from error
    assert reach.folder is not None
    return _with_base(reach.folder / "pipeline", reach, data, _places(data, ()), draft, ())


def _places(value: Any, path: YamlPath) -> dict[YamlPath, tuple[str, int]]:
    """Where everything in a mapping stands, as one would write it in Python."""
    words = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[YamlPath, tuple[str, int]] = {path: (words or "the pipeline", 0)}
    for key, part in inner:
        found |= _places(part, (*path, key))
    return found


def _with_base(
    path: Path,
    reach: Reach,
    data: dict[str, Any],
    place: dict[YamlPath, tuple[str, int]],
    draft: Draft,
    seen: tuple[Path, ...],
) -> _File | None:
    """What was read, as a file, with what it extends merged in."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for key in ("steps", "corpus"):
        items = data.pop(key, [])
        good = isinstance(items, list) and all(isinstance(i, dict) for i in items)
        if not good:
            at = place.get((key,), place[()])
            draft.findings.append(Finding(*at, f"{key} is not a list of steps", "write - step: NAME"))
        parts[key] = [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []
        for item in parts[key]:
            item.setdefault("name", item.get("step", ""))
            item["folder"] = reach
    base_name, override = data.pop("extends", None), data.pop("override", {})
    file = _File(path, reach, data, parts["steps"], parts["corpus"], place)
    if base_name is None:
        if override:
            draft.findings.append(
                Finding(*file.at("override"), "override without extends", "name the pipeline it changes: extends: NAME")
            )
        return file
    return _merge(file, str(base_name), override, draft, (*seen, path))


def _merge(file: _File, base_name: str, override: Any, draft: Draft, seen: tuple[Path, ...]) -> _File | None:
    try:
        base_path = find_pipeline(base_name, reach=file.reach)
    except UserError as error:
        draft.findings.append(Finding(*file.at("extends"), error.what, error.remedy or "name a pipeline"))
        return None
    if base_path in seen:
        draft.findings.append(
            Finding(*file.at("extends"), "the pipelines extend each other in a circle", "break the circle")
        )
        return None
    base = _read_file(base_path, file.reach.below(base_path.parent), draft, seen)
    if base is None:
        return None
    place = {**base.place, **{p: at for p, at in file.place.items() if p[:1] not in {("steps",), ("corpus",)}}}
    for key, mine in (("steps", file.steps), ("corpus", file.corpus)):
        if mine:  # a list of its own replaces the base's
            setattr(base, key, mine)
            place = {p: at for p, at in place.items() if p[:1] != (key,)}
            place |= {p: at for p, at in file.place.items() if p[:1] == (key,)}
    for name, options in (override or {}).items():
        lists = (("steps", base.steps), ("corpus", base.corpus))
        found = next(((k, some, i) for k, some in lists for i, s in enumerate(some) if s.get("name") == name), None)
        if found is None:
            names = [str(s.get("name")) for s in (*base.steps, *base.corpus)]
            remedy = _nearest(name, names) or f"its steps: {', '.join(names)}"
            draft.findings.append(Finding(*file.at("override", name), f"{base_name} has no step {name!r}", remedy))
            continue
        key, items, index = found
        if options is None:
            items[index] = {"step": "", "name": "", "removed": True}
        else:
            items[index] = {**items[index], **options}
            if any(isinstance(v, str) and v.endswith((".j2", ".json", ".jsonl")) for v in options.values()):
                items[index]["folder"] = file.reach  # files it names lie beside the file that names them
            for option in options:
                place[(key, index, option)] = file.at("override", name, option)
    roles = {**base.data.get("roles", {}), **file.data.get("roles", {})}
    merged = {**base.data, **file.data, "roles": roles}
    return _File(file.path, file.reach, merged, base.steps, base.corpus, place)


def _build(file: _File, draft: Draft, origin: str | tuple[dict[str, Any], Path]) -> None:
    head = _head(file, draft)
    if head is not None and head.sample is not None:
        _check_sample(head.sample, file, draft)
    steps = [s for i, item in enumerate(file.steps) if (s := _step(item, i, file, draft, "steps")) is not None]
    corpus = [s for i, item in enumerate(file.corpus) if (s := _step(item, i, file, draft, "corpus")) is not None]
    unit_steps = [s for s in steps if isinstance(s, Step)]
    for corpus_step in (s for s in corpus if isinstance(s, CorpusStep)):
        for option, what, remedy in corpus_step.problems_with():
            draft.find(corpus_step.name, option, what, remedy)
        if corpus_step.once and any(c.step == corpus_step.step for c in corpus[: corpus.index(corpus_step)]):
            what = f"a second {corpus_step.step}, and a record has room for what one says"
            draft.find(corpus_step.name, "step", what, "leave one of them out")
    if not file.steps and "imports" not in file.data:
        draft.findings.append(Finding(*file.at(), "the pipeline has no steps", "add steps:"))
    _check_names([*unit_steps, *(c for c in corpus if isinstance(c, CorpusStep))], draft)
    _check_flow(unit_steps, head.imports if head is not None else (), draft)
    _check_corpus_scores(unit_steps, corpus, head.imports if head is not None else (), draft)
    prompts = _check_prompts(unit_steps, draft)
    roles = file.data.get("roles")  # as written: a mistake elsewhere at the top must not hide those in the steps
    if isinstance(roles, dict) and roles:
        for step in (s for s in unit_steps if isinstance(s, ModelStep)):
            for role in (r for r in step.roles() if r not in roles):
                remedy = _nearest(role, roles) or f"its roles: {', '.join(roles)}; add it under roles:"
                draft.find(step.name, "by", f"the pipeline has no role {role!r}", remedy)
    if head is None or draft.findings:
        return
    draft.pipeline = Pipeline(
        **head.model_dump(),
        steps=tuple(unit_steps),
        corpus=tuple(c for c in corpus if isinstance(c, CorpusStep)),
        prompt_texts=prompts,
    )
    draft.pipeline._origin = origin  # noqa: SLF001  # the loader's own mark


def _head(file: _File, draft: Draft) -> PipelineHead | None:
    try:
        return PipelineHead.model_validate(file.data)
    except ValidationError as error:
        for e in error.errors(include_input=False):
            key = str(e["loc"][0])
            remedy = "see schemas/pipeline.json"
            what = f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
            if e["type"] == "extra_forbidden":
                known = [*PipelineHead.model_fields, "steps", "corpus", "extends", "override"]
                what, remedy = f"unknown key {key!r}", _nearest(key, known) or f"known: {', '.join(known)}"
            elif e["type"] == "missing":
                what, remedy = f"{key} is missing", f"add {key}: …"
            draft.findings.append(Finding(*file.at(*_loc(e["loc"])), what, remedy))
        return None


def _check_sample(sample: str, file: _File, draft: Draft) -> None:
    """A pipeline may name a sample, and no file of whoever runs it."""
    known = sorted(path.name for path in shipped("samples").glob("*.jsonl"))
    if sample not in known:
        remedy = _nearest(sample, known) or f"samples: {', '.join(known)}; a file of yours is given with --input"
        draft.findings.append(Finding(*file.at("sample"), f"there is no sample {sample!r}", remedy))


_SURELY_MEANT = 0.8
"""How alike an unknown step must be to a known one to be checked as that one; a looser guess would add mistakes that are none."""


def _step(item: dict[str, Any], index: int, file: _File, draft: Draft, key: str) -> Step | CorpusStep | None:
    if item.get("removed"):
        return None
    kinds: dict[str, Any] = all_steps() if key == "steps" else {c.model_fields["step"].default: c for c in CORPUS_STEPS}
    which, name = item.get("step"), str(item.get("name") or item.get("step"))
    for option in ("step", *item):
        draft.places[(name, option)] = file.at(key, index, option)
    options = dict(item)
    if which not in kinds:
        what = f"there is no step {which!r}" if which else "the step is not named"
        remedy = _nearest(str(which), kinds) or f"steps: {', '.join(kinds)}"
        draft.findings.append(Finding(*file.at(key, index, "step"), what, remedy))
        near = nearest(str(which), kinds, cutoff=_SURELY_MEANT)
        if not near:
            draft.in_the_dark = True
            return None
        which = options["step"] = near[0]  # taken for it, so that its other mistakes are told too, and no false ones
    kind = kinds[which]
    if "folder" not in kind.model_fields:
        options.pop("folder", None)
    made: Step | CorpusStep
    try:
        made = kind.model_validate(options)
    except ValidationError as error:
        wrong = {e["loc"][0] for e in error.errors(include_input=False) if e["loc"]}
        for e in error.errors(include_input=False):
            option = str(e["loc"][0]) if e["loc"] else "step"
            if e["type"] == "extra_forbidden":
                known = [f for f in kind.model_fields if f not in {"step", "folder"}]
                what, remedy = (
                    f"unknown option {option!r}",
                    _nearest(option, known) or f"its options: {', '.join(known)}",
                )
            elif e["type"] == "missing":
                what, remedy = f"{option} is missing", f"add {option}: …"
            else:
                what, remedy = f"{option}: {e['msg']}", f"see synth pipelines --step {which}"
            at = file.at(key, index, option)
            draft.findings.append(Finding(*at, f"step {name}: {what}", remedy))
        try:  # without what is wrong, so that the steps after it are judged by what it would make
            made = kind.model_validate({k: v for k, v in options.items() if k not in wrong})
        except ValidationError:
            return None
    return made


def _check_names(steps: Sequence[Step | CorpusStep], draft: Draft) -> None:
    seen: set[str] = set()
    for step in steps:
        if step.name in seen or step.name == "input":
            draft.find(
                step.name,
                "name",
                f"the name {step.name!r} is taken",
                "give each use of a step a name of its own: name: …",
            )
        seen.add(step.name)


_IMPORTED: dict[str, type[UnitRecord]] = {"rationale": Rationale, "pair": Pair, "critique": Critique}


def _check_flow(steps: Sequence[Step], imports: Sequence[str], draft: Draft) -> None:
    brought = tuple(_IMPORTED[kind] for kind in imports if kind in _IMPORTED)
    made: dict[str, tuple[type[UnitRecord], ...]] = {"input": (Problem, *brought)}
    scores: dict[str, None] = {i.removeprefix("score."): None for i in imports if i.startswith("score.")}
    for step in steps:
        kind = step.takes_type()
        own = () if step.of is None or step.of == "*" else (step.of,) if isinstance(step.of, str) else step.of
        for option, name in [(option, n) for option, names in {"of": own, **step.refers_to()}.items() for n in names]:
            if name not in made and draft.in_the_dark:
                continue
            if name not in made:
                remedy = _nearest(name, made) or f"earlier steps: {', '.join(made)}"
                draft.find(step.name, option, f"there is no earlier step {name!r}", remedy)
            elif kind not in made[name]:
                makers = [n for n, kinds in made.items() if kind in kinds]
                remedy = f"steps that make one: {', '.join(makers) or 'none so far'}"
                draft.find(step.name, option, f"it works on a {kind.alias}, and {name!r} makes none", remedy)
        if not draft.in_the_dark and not any(kind in kinds for kinds in made.values()):
            remedy = f"put a step that makes a {kind.alias} before it"
            if kind.alias in _IMPORTED:
                remedy += f", or, where the input brings them: imports: [{kind.alias}]"
            draft.find(step.name, "step", f"it works on a {kind.alias}, and no earlier step makes one", remedy)
        known = names_of(kind, None if draft.in_the_dark else frozenset(scores)) | dict(step.sees())
        expressions = {**({"where": step.where} if step.where else {}), **step.expressions()}
        for option, source in expressions.items():
            _check_expression(step, option, source, known, draft)
        made[step.name] = step.gives_types()
        scores.update(dict.fromkeys(step.gives_scores()))
        if not draft.in_the_dark:
            _check_score_option(step, scores, draft)


def _check_expression(
    step: Step, option: str, source: str, known: Mapping[str, frozenset[str] | None], draft: Draft
) -> None:
    try:
        unknown = Expression(source).unknown_names(known)
    except UserError as error:
        what = f"the expression {source!r} does not compile: {error.what}"
        draft.find(step.name, option, what, f"fix it; it is Jinja2: {error.remedy}")
        return
    for name in unknown:
        owner, _, attribute = name.partition(".")
        fields = known.get(owner)
        if attribute and fields is not None:
            kind = "score" if owner in {"score", "label"} else "field"
            what = (
                f"{source!r}: no earlier step makes the score {attribute!r}"
                if kind == "score"
                else f"{source!r}: {owner} has no {attribute!r}"
            )
            remedy = _nearest(attribute, fields) or f"{kind}s: {', '.join(sorted(fields)) or 'none so far'}"
        else:
            what, remedy = f"{source!r}: unknown name {name!r}", _nearest(name, known) or f"names: {', '.join(known)}"
        draft.find(step.name, option, what, remedy)


def _check_score_option(step: Step, scores: Iterable[str], draft: Draft) -> None:
    """A step that reads a score by an option `score` must find it made before."""
    wanted = getattr(step, "score", None)
    if isinstance(wanted, str) and wanted not in step.gives_scores() and wanted not in scores:
        remedy = _nearest(wanted, scores) or f"scores so far: {', '.join(scores) or 'none'}"
        draft.find(step.name, "score", f"no earlier step makes the score {wanted!r}", remedy)


def _check_corpus_scores(
    steps: Sequence[Step], corpus: Sequence[Step | CorpusStep], imports: Sequence[str], draft: Draft
) -> None:
    """A corpus step that ranks by a score, or tells apart by one, must find it made before."""
    scores = dict.fromkeys(i.removeprefix("score.") for i in imports if i.startswith("score."))
    scores |= dict.fromkeys(name for step in steps for name in step.gives_scores())
    for step in (c for c in corpus if isinstance(c, CorpusStep) and not draft.in_the_dark):
        for option, source in step.sources():
            for name in scores_read(source):
                if name not in scores and name != "human":  # which people give, in the browser
                    remedy = _nearest(name, [*scores, "length"]) or f"scores: {', '.join(scores) or 'none'}; or length"
                    draft.find(step.name, option, f"no step before makes the score {name!r}", remedy)
        scores |= dict.fromkeys(step.gives_scores)


def _check_prompts(steps: Sequence[Step], draft: Draft) -> dict[str, str]:
    labels: dict[str, str] = {}
    for step in (s for s in steps if isinstance(s, ModelStep)):
        for option, known in step.prompts().items():
            try:
                prompt = step.load(option)
            except UserError as error:
                draft.find(step.name, option, error.what, error.remedy or "")
                continue
            try:
                for name, line in prompt.unknown_variables(known):
                    remedy = _nearest(name, known) or f"variables: {', '.join(known)}"
                    draft.find(step.name, option, f"{prompt.name}, line {line}: unknown variable {name!r}", remedy)
                for text, line in prompt.stray_text()[:1]:
                    what = f"{prompt.name}, line {line}: {text[:40]!r} stands outside of every message, and would not be sent"
                    draft.find(
                        step.name, option, what, "put it into {% call user() %}…{% endcall %} (or system, assistant)"
                    )
                labels[f"{step.name}.{option}"] = prompt.label
                prompt.check()
            except UserError as error:
                what = f"the prompt does not compile ({error.where or 'as a whole'}): {error.what}"
                draft.find(step.name, option, what, f"fix the template: {error.remedy}")
    return labels


def _nearest(word: str, known: Iterable[str]) -> str | None:
    near = nearest(word, known, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else None


def _loc(loc: tuple[str | int, ...]) -> YamlPath:
    return tuple(loc)


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
