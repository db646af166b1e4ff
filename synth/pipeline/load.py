"""From a pipeline file to a pipeline, and the static check: every mistake at once, each with file, line and fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synth.bounded import nearest
from synth.corpus import CorpusStep, all_corpus_steps
from synth.errors import InputError, UserError
from synth.generators import read_generator
from synth.models import Simulator
from synth.pipeline.blocks import MOST_DEPTH, Reader
from synth.pipeline.catalogue import catalogue, find_pipeline
from synth.pipeline.check import Use, check_corpus, check_flow, check_names, check_prompts, check_roles
from synth.pipeline.code import Code, CodeFile, load_code, read_code
from synth.pipeline.document import Document, Place, document_of, place_in, read_document
from synth.pipeline.draft import Draft, Finding, near
from synth.pipeline.expand import expand
from synth.pipeline.extend import CHANGES, change
from synth.pipeline.items import Item
from synth.pipeline.spec import Pipeline, PipelineHead
from synth.reach import Reach
from synth.shipped import shipped
from synth.steps import Step, all_steps
from synth.yaml_text import Path as YamlPath

__all__ = ["load_pipeline", "read_pipeline"]


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
    draft, code = Draft(), Code()
    document, origin = _opened(given, folder, media_from, draft)
    file = None if document is None else _with_base(document, draft, Reader(draft, code.steps), (), code)
    if file is not None:
        _build(file, draft, origin, code)
    return draft


def _opened(
    given: str | Path | Mapping[str, Any], folder: Path | None, media_from: Sequence[str | Path] | None, draft: Draft
) -> tuple[Document | None, str | tuple[dict[str, Any], Path]]:
    """What a pipeline is written in, and what it is called."""
    allowed = None if media_from is None else tuple(Path(one).expanduser() for one in media_from)
    if isinstance(given, Mapping):
        folder = (folder or Path()).resolve()
        return document_of(given, Reach(folder, allowed)), (dict(given), folder)
    path = find_pipeline(str(given))
    document = _read(path, Reach(path.parent, allowed or ()), draft)
    return document, str(given) if path in catalogue().values() else str(path)  # of a folder, the file in it


@dataclass
class _File:
    """A pipeline file with what it extends merged in."""

    head: dict[str, Any]
    """All but the steps."""
    places: dict[YamlPath, Place]
    """Where the values of the head stand."""
    steps: list[Item]
    corpus: list[Item]
    code: list[tuple[str, Reach, Place]]
    """The Python files that it brings, each with the files it may name, and where it is named."""

    def at(self, *path: str | int) -> Place:
        """File and line of a value of the head, or of what holds it."""
        return place_in(self.places, path)


def _read(path: Path, reach: Reach, draft: Draft) -> Document | None:
    return read_document(path, reach, draft, kind="pipeline", fix="begin with pipeline: family/name")


def _with_base(
    document: Document, draft: Draft, reader: Reader, seen: tuple[Path, ...], code: Code | None
) -> _File | None:
    """What was read, with what it extends merged in; `code` takes what its Python defines, None where that is not to run."""
    if len(seen) > MOST_DEPTH:
        what = f"more than {MOST_DEPTH} pipelines extend each other"
        draft.findings.append(Finding(*document.at("extends"), what, "extend one that is nearer to the first"))
        return None
    own = _own_code(document, draft)
    if code is not None:
        for name, reach, place in own:
            _run_code(name, reach, place, draft, code)
    lists = {key: reader.items(document, document.data.get(key, []), (key,)) for key in ("steps", "corpus")}
    head = {key: value for key, value in document.data.items() if key not in {*lists, "extends", *CHANGES}}
    file = _File(head, document.places, code=own, **lists)
    base_name = document.data.get("extends")
    if base_name is not None:
        return _merge(file, document, str(base_name), draft, reader, (*seen, document.path), code)
    for key in (key for key in CHANGES if document.data.get(key)):
        fix = "name the pipeline it changes: extends: NAME"
        draft.findings.append(Finding(*document.at(key), f"{key} without extends", fix))
    return file


def _merge(
    file: _File,
    document: Document,
    base_name: str,
    draft: Draft,
    reader: Reader,
    seen: tuple[Path, ...],
    code: Code | None,
) -> _File | None:
    at, reach = document.at("extends"), document.reach
    try:
        base_path = find_pipeline(base_name, reach=reach)
    except UserError as error:
        draft.findings.append(Finding(*at, error.what, error.fix or "name a pipeline"))
        return None
    if base_path in seen:
        draft.findings.append(Finding(*at, "the pipelines extend each other in a circle", "break the circle"))
        return None
    read = _read(base_path, reach.below(base_path.parent), draft)
    base = None if read is None else _with_base(read, draft, reader, seen, code)
    if base is None:
        return None
    # A list of its own replaces that of the base.
    lists = {"steps": file.steps or base.steps, "corpus": file.corpus or base.corpus}
    change(lists, base_name, document, reader, draft)
    merged = {**base.head, **file.head}
    roles = base.head.get("roles"), file.head.get("roles")
    if all(isinstance(one, dict) for one in roles):
        merged["roles"] = {**base.head["roles"], **file.head["roles"]}
    merged["code"] = [name for name, _, _ in (*base.code, *file.code)]
    return _File(merged, {**base.places, **file.places}, code=[*base.code, *file.code], **lists)


def _build(file: _File, draft: Draft, origin: str | tuple[dict[str, Any], Path], code: Code) -> None:
    head = _head(file, draft)
    if head is not None and head.sample is not None:
        _check_sample(head.sample, file, draft)
    uses = [Use(item, _unit_step(item, draft, code)) for item in expand(file.steps, draft)]
    corpus = [step for item in file.corpus if (step := _corpus_step(item, draft)) is not None]
    steps = [use.step for use in uses if use.step is not None]
    enabled = [step for step in steps if step.enabled]
    if not file.steps and "imports" not in file.head:
        draft.findings.append(Finding(*file.at(), "the pipeline has no steps", "add steps:"))
    elif steps and not enabled and "imports" not in file.head:
        draft.findings.append(Finding(*file.at(), "every step of the pipeline is disabled", "enable one"))
    imports = head.imports if head is not None else ()
    check_names([*steps, *corpus], draft)
    check_flow(uses, imports, draft)
    check_corpus(enabled, [step for step in corpus if step.enabled], imports, draft)
    prompts = check_prompts(enabled, draft)
    check_roles(file.head.get("roles"), steps, draft)
    if head is None or draft.findings:
        return
    draft.pipeline = Pipeline(
        **head.model_dump(),
        steps=_with_sources(uses),
        corpus=tuple(step for step in corpus if step.enabled),
        prompt_texts=prompts,
        code_digests=code.digests,
    )
    draft.pipeline._origin = origin  # noqa: SLF001  # the loader's own mark
    draft.pipeline._simulators = _simulators(enabled, code)  # noqa: SLF001  # the same
    draft.pipeline._own_steps = code.steps  # noqa: SLF001  # the same


def _simulators(steps: Sequence[Step], code: Code) -> dict[str, Simulator]:
    """How the scripted model answers steps, by their names. What is said of a step that the code defines holds for any name the
    pipeline calls it; what is said of a name goes before that.
    """
    own = {
        step.name: code.simulators[step.step]
        for step in steps
        if step.step in code.steps and step.step in code.simulators
    }
    return {**own, **code.simulators}


def _with_sources(uses: Sequence[Use]) -> tuple[Step, ...]:
    """The enabled steps. Where the records that a step works on by default come from a `repeat` before it, they come from all
    iterations: which is the last one to run is known only for each problem.
    """
    made: list[Step] = []
    enabled = [(use.item, use.step) for use in uses if use.step is not None and use.step.enabled]
    for index, (item, step) in enumerate(enabled):
        makers = [
            (other, maker.name)
            for other, maker in enabled[:index]
            if step.of is None
            and step.takes_type() in maker.gives_types()
            and step.takes_type() not in maker.by_products
        ]
        latest = makers[-1][0] if makers else None
        if latest is None or latest.repeat is None or latest.repeat == item.repeat:
            made.append(step)
            continue
        alike = [name for other, name in makers if (other.repeat, other.written) == (latest.repeat, latest.written)]
        made.append(step.model_copy(update={"of": tuple(alike)}) if len(alike) > 1 else step)
    return tuple(made)


def _run_code(name: str, reach: Reach, place: Place, draft: Draft, code: Code) -> None:
    """Take what a file of Python defines. One that may not run, or that raises, is a mistake."""
    try:
        load_code(name, reach, code)
    except UserError as error:
        what = f"{error.where}: {error.what}" if error.where else error.what
        draft.findings.append(Finding(*place, what, error.fix or "correct the file"))
        draft.incomplete, code.whole = True, False


def code_of(given: str | Path | Mapping[str, Any], media_from: Sequence[str | Path] | None = None) -> list[CodeFile]:
    """The Python files that a pipeline and those it extends bring, read and not run.

    Raises:
        PipelineError: there is no such pipeline, or it cannot be read.
        UserError: a file cannot be read.
    """
    draft = Draft()
    document, _ = _opened(given, None, media_from, draft)
    file = None if document is None else _with_base(document, draft, Reader(draft, {}), (), None)
    if file is None:
        draft.checked()
        raise AssertionError
    return [read_code(name, reach) for name, reach, _ in file.code]


def _own_code(document: Document, draft: Draft) -> list[tuple[str, Reach, Place]]:
    names = document.data.get("code", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        draft.findings.append(Finding(*document.at("code"), "code is not a list of files", "write code: [parts.py]"))
        return []
    return [(name, document.reach, document.at("code", i)) for i, name in enumerate(names)]


def _head(file: _File, draft: Draft) -> PipelineHead | None:
    try:
        return PipelineHead.model_validate(file.head)
    except ValidationError as error:
        for e in error.errors(include_input=False):
            key = str(e["loc"][0])
            fix = "see schemas/pipeline.json"
            what = f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
            if e["type"] == "extra_forbidden":
                known = [*PipelineHead.model_fields, "steps", "corpus", "extends", *CHANGES]
                what, fix = f"unknown key {key!r}", near(key, known) or f"known: {', '.join(known)}"
            elif e["type"] == "missing":
                what, fix = f"{key} is missing", f"add {key}: …"
            draft.findings.append(Finding(*file.at(*e["loc"]), what, fix))
        return None


def _check_sample(sample: str, file: _File, draft: Draft) -> None:
    """A pipeline may name a sample, or problems that a generator makes; and no file of its user."""
    if sample.startswith("make:"):
        try:
            read_generator(sample.removeprefix("make:"))
        except InputError as error:
            draft.findings.append(Finding(*file.at("sample"), error.what, error.fix or "correct it"))
        return
    known = sorted(path.name for path in shipped("samples").glob("*.jsonl"))
    if sample not in known:
        fix = near(sample, known) or f"samples: {', '.join(known)}; a file of yours is given with --input"
        draft.findings.append(Finding(*file.at("sample"), f"there is no sample {sample!r}", fix))


_SURELY_MEANT = 0.8
"""How alike an unknown step must be to a known one to be checked as that one; a looser guess would add mistakes that are none."""


def _unit_step(item: Item, draft: Draft, code: Code) -> Step | None:
    step = _step(item, draft, {**all_steps(), **code.steps}, code)
    return step if isinstance(step, Step) else None


def _corpus_step(item: Item, draft: Draft) -> CorpusStep | None:
    if item.steps is not None:
        draft.findings.append(Finding(*item.at(), "a repeat stands in corpus", "repeat: stands among steps: alone"))
        return None
    step = _step(item, draft, all_corpus_steps())
    return step if isinstance(step, CorpusStep) else None


def _step(
    item: Item, draft: Draft, kinds: Mapping[str, type[Step | CorpusStep]], code: Code | None = None
) -> Step | CorpusStep | None:
    which, name = item.options.get("step"), item.name
    for option in ("step", *item.options):
        draft.places[(name, option)] = item.value_at(option)
    if item.original is not None:
        draft.originals[name] = item.original
    options = dict(item.options)
    if not isinstance(which, str) or which not in kinds:
        what = f"there is no step {which!r}" if which else "the step is not named"
        fix = near(str(which), kinds) or f"steps: {', '.join(kinds)}"
        unknown = bool(which) and code is not None and not code.whole  # it may be a step of the code that did not run
        if not unknown:
            _note(draft, item, "step", what, fix)
        alike = nearest(str(which), kinds, cutoff=_SURELY_MEANT)
        if not alike:
            draft.incomplete = True
        if not alike or unknown:
            return None
        which = options["step"] = alike[
            0
        ]  # taken for it, so that its other mistakes are reported too, and no false ones
    kind = kinds[which]
    if "folder" in kind.model_fields:
        if "folder" in options:
            _note(draft, item, "folder", f"step {name}: unknown option 'folder'", "remove it: the loader sets it")
        options["folder"] = item.reach
    if "classes" in kind.model_fields:
        options["classes"] = {} if code is None else code.replies
    if "verifiers" in kind.model_fields:
        options["verifiers"] = {} if code is None else code.verifiers
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        wrong = {e["loc"][0] for e in error.errors(include_input=False) if e["loc"]}
        for e in error.errors(include_input=False):
            option = str(e["loc"][0]) if e["loc"] else "step"
            if (
                option == "reply" and code is not None and not code.whole
            ):  # it may be a class of the code that did not run
                continue
            known = [
                field.alias or name
                for name, field in kind.model_fields.items()
                if name not in {"step", "folder", "classes", "verifiers"}
            ]
            if e["type"] == "extra_forbidden" and len(e["loc"]) > 1:
                place = ".".join(str(part) for part in e["loc"][1:-1] if not str(part).startswith("Make"))
                what = f"step {name}: {option}{f'.{place}' if place else ''}: unknown key {e['loc'][-1]!r}"
                _note(draft, item, option, what, f"see synth pipelines --step {which}")
            elif e["type"] == "extra_forbidden":
                fix = near(option, known) or f"its options: {', '.join(known)}"
                _note(draft, item, option, f"step {name}: unknown option {option!r}", fix)
            elif e["type"] == "missing":
                _note(draft, item, option, f"step {name}: {option} is missing", f"add {option}: …")
            else:
                place = ".".join(str(part) for part in e["loc"] if not str(part).startswith(("Make", "tuple[")))
                what = f"{place or 'step'}: {e['msg'].removeprefix('Value error, ')}"
                draft.find(name, option, what, f"see synth pipelines --step {which}")
        try:  # without what is wrong, so that the steps after it are judged by what it would make
            return kind.model_validate({k: v for k, v in options.items() if k not in wrong})
        except ValidationError:
            if not getattr(kind, "gives", ()):  # its options say what it makes
                draft.incomplete = True
            return None


def _note(draft: Draft, item: Item, option: str, what: str, fix: str) -> None:
    """Note a mistake in how a step is written; its copies in later iterations are written in the same place."""
    if item.original is None:
        draft.findings.append(Finding(*item.at(option), what, fix))
