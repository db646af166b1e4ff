"""The facts of a run for its card, read from its store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import orjson

from synth.models.local import CATALOGUE
from synth.render.summary import Stage, funnel_of
from synth.store.database import Store
from synth.store.invented import invented_in
from synth.store.manifest import Introduced, Manifest, read_manifest

__all__ = ["Cited", "Facts", "Looked", "Prompted", "StepInfo", "Taught", "facts_of", "languages_of"]


class Taught(NamedTuple):
    """What one model was asked, and what came of it."""

    model: str
    model_id: str
    served: str
    """The models that said they answered, where that is another word."""
    where: str
    """Host of the endpoint; what is not encrypted is somebody's own server, and not named."""
    calls: int
    failed: int
    read: int | None
    """Tokens; None where the endpoint does not count them."""
    written: int | None
    usd: float | None
    """Of the calls whose price is known; None where none is."""
    unpriced: int
    kept: int
    """Kept rationales."""
    license: str
    """Empty where nobody said."""


class Prompted(NamedTuple):
    """A prompt in use."""

    step: str
    name: str
    version: str
    hash: str


class StepInfo(NamedTuple):
    """A step of the pipeline."""

    name: str
    step: str
    options: str
    """Those that are set, as JSON."""


class Looked(NamedTuple):
    """A step that compared the corpus with something."""

    name: str
    step: str
    target: str
    against: tuple[tuple[str, str], ...]
    """Files with their hashes; for near-duplicates none."""
    how: str
    out: int
    """Records it rejected."""


class Cited(NamedTuple):
    """A work a method follows."""

    title: str
    arxiv: str
    """Its number; empty where there is none."""


class Facts(NamedTuple):
    """All of it."""

    pipeline: str
    version: str
    """Of the package that made it."""
    title: str
    about: str
    limit: int | None
    source: str
    sources: list[tuple[str, int]]
    """Files problems came from, and how many."""
    funnel: list[Stage]
    taught: list[Taught]
    prompts: list[Prompted]
    steps: list[StepInfo]
    reasons: list[tuple[str, str, str, int]]
    """Step, rule, table, how many."""
    failures: list[tuple[str, str, int]]
    """Step, cause, how many."""
    decontaminated: list[Looked]
    repeated: list[Looked]
    """Near-duplicates."""
    cites: list[Cited] | None
    """None where the run, made by an earlier version, does not say."""
    languages: list[tuple[str, int]]
    """Of the kept records whose language was measured."""
    authors: list[tuple[str, str, int]]
    """Kept rationales by kind of author and name."""
    hinted: int
    verified: int
    """Kept rationales whose answer was found right."""
    people: int
    """Rationales a person judged."""
    reviews: int
    """Verdicts of models on what models wrote."""
    kept: int
    gold: bool
    """Whether kept problems have gold answers."""
    choices: bool
    """Whether kept problems have options."""
    derived: int
    """Kept problems that a step made."""
    asked: bool
    """Whether any model was asked."""
    invented: str
    """The warning that the scripted model wrote text of this run; empty where it did not."""


def facts_of(store: Store, run: Path, licenses: Mapping[str, str]) -> Facts:
    """The facts of a run.

    Args:
        store: the run, open for reading.
        run: its folder.
        licenses: of models, by the name of the model.
    """
    manifest = read_manifest(run)
    introduced, source = manifest.introduced, manifest.source
    taught = _taught(store, licenses)

    def count(query: str) -> int:
        return int(store.sql(query).fetchall()[0][0])

    return Facts(
        pipeline=manifest.pipeline,
        version=manifest.synth,
        title=introduced.title or "" if introduced is not None else "",
        about=introduced.about or "" if introduced is not None else "",
        limit=manifest.limit,
        source=_file(source.name) if source is not None else "",
        sources=[(_file(name), n) for name, n in store.sql(_SOURCES).fetchall()],
        funnel=funnel_of(store),
        taught=taught,
        prompts=_prompts(store, manifest),
        steps=[_step_info(*row) for row in store.sql(_STEPS).fetchall()],
        reasons=store.sql(
            "SELECT step, rule, target_table, n FROM rejection_reasons ORDER BY n DESC, step, rule"
        ).fetchall(),
        failures=store.sql("SELECT step, cause, count(*) FROM failures GROUP BY ALL ORDER BY 3 DESC, 1, 2").fetchall(),
        decontaminated=_looked(store, "decontaminate"),
        repeated=[*_looked(store, "near_duplicates"), *_looked(store, "deduplicate")],
        cites=None
        if introduced is None
        else [*_cites(introduced), *_cites(source.declared if source is not None else None)],
        languages=store.sql(_LANGUAGES).fetchall(),
        authors=store.sql(_AUTHORS).fetchall(),
        hinted=count("SELECT count(*) FROM kept_rationales WHERE hinted"),
        verified=count(
            "SELECT count(*) FROM kept_rationales WHERE id IN (SELECT target FROM scores WHERE part IS NULL AND label = 'right')"
        ),
        people=count("SELECT count(DISTINCT target) FROM human_verdicts"),
        reviews=count("SELECT count(*) FROM reviews"),
        kept=count("SELECT count(*) FROM kept_rationales"),
        gold=count("SELECT count(*) FROM kept_problems WHERE answer IS NOT NULL") > 0,
        choices=count("SELECT count(*) FROM kept_problems WHERE len(choices) > 0") > 0,
        derived=count("SELECT count(*) FROM kept_problems WHERE parent IS NOT NULL"),
        asked=bool(taught),
        invented=invented.sentence if (invented := invented_in(store)) is not None else "",
    )


_SOURCES = r"""
SELECT coalesce(regexp_replace(source, ':\d+$', ''), ''), count(*) FROM problems WHERE parent IS NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20
"""

_MODELS = """
SELECT t.model, t.model_id, coalesce(s.served, ''), t.endpoint, t.attempts, t.failed, t.prompt_tokens, t.completion_tokens, t.cost_usd,
  t.unpriced, coalesce(k.n, 0)
FROM models t
LEFT JOIN (SELECT model, model_id, endpoint, string_agg(DISTINCT served_model, ', ' ORDER BY served_model) AS served
  FROM calls WHERE served_model <> model_id GROUP BY ALL) s USING (model, model_id, endpoint)
LEFT JOIN (SELECT c.model, c.model_id, c.endpoint, count(*) AS n FROM kept_rationales r JOIN calls c ON c.id = r.call GROUP BY ALL) k
  USING (model, model_id, endpoint)
ORDER BY t.model, t.model_id, t.endpoint
"""

_STEPS = "SELECT name, step, options FROM pipeline_steps ORDER BY position"

_LANGUAGES = """
SELECT label, count(*) AS n FROM scores WHERE name = 'language' AND label IS NOT NULL AND part IS NULL
  AND (target IN (SELECT id FROM kept_rationales) OR target IN (SELECT id FROM kept_problems))
GROUP BY 1 ORDER BY 2 DESC, 1
"""

_AUTHORS = "SELECT author, coalesce(model, ''), count(*) FROM kept_rationales GROUP BY ALL ORDER BY 3 DESC, 1, 2"


_BY_HAND = """
SELECT step, rule, target_table, count(*) FROM rejections WHERE step NOT IN (SELECT name FROM pipeline_steps)
  AND (rule LIKE 'near-duplicate%' OR rule LIKE 'shares % words in a row with a benchmark'
    OR rule = 'may be an item of a benchmark, rephrased')
GROUP BY ALL ORDER BY ALL
"""


def _taught(store: Store, licenses: Mapping[str, str]) -> list[Taught]:
    made = []
    for model, model_id, served, endpoint, calls, failed, read, written, usd, unpriced, kept in store.sql(
        _MODELS
    ).fetchall():
        license_ = licenses.get(model, "")
        if not license_ and endpoint.startswith("local:") and model_id in CATALOGUE:
            license_ = CATALOGUE[model_id].licence
        where = _host(endpoint)
        counts = (calls, failed, read, written, usd, unpriced, kept)
        made.append(Taught(model, model_id, served, where, *counts, license_))
    return made


def _host(endpoint: str) -> str:
    if endpoint.startswith("local:"):
        return "on the author's machine"
    found = re.fullmatch(r"https://(?:[^/@]*@)?([\w.-]+\.[a-z]{2,})(?::\d+)?(?:/.*)?", endpoint)
    return found[1] if found else "a server of the author's own"


def _prompts(store: Store, manifest: Manifest) -> list[Prompted]:
    """Those the kept ledger rows were asked with, and those of steps that asked nothing."""
    used = store.sql(
        "SELECT DISTINCT step, prompt FROM current_calls WHERE prompt IS NOT NULL AND step IS NOT NULL ORDER BY 1, 2"
    ).fetchall()
    listed = [(key.partition(".")[0], label) for key, label in manifest.described.prompts.items()]
    made = []
    for step, label in dict.fromkeys([*used, *listed]):
        name, _, rest = label.rpartition("/")
        version, _, digest = rest.partition("#")
        made.append(Prompted(step, _file(name) if name.endswith(".j2") else name, version, digest))
    return made


def _step_info(name: str, step: str, options: str) -> StepInfo:
    given = orjson.loads(options)
    for hidden in ("step", "name", "version", "contents"):
        given.pop(hidden, None)
    given = {k: _shown(v) for k, v in given.items() if v not in (None, [], {}, "")}
    return StepInfo(name, step, orjson.dumps(given).decode() if given else "")


def _shown(value: Any) -> Any:
    """An option as a card shows it: of a path of the author's machine, the file's name."""
    if isinstance(value, str):
        return _file(value) if PurePosixPath(value).is_absolute() or value.startswith("../") else value
    return [_shown(v) for v in value] if isinstance(value, list) else value


def _looked(store: Store, step: str) -> list[Looked]:
    """The steps of this kind, and those added manually, which stand in no pipeline and are known by their rule."""
    made = []
    for name, options in store.sql(
        "SELECT name, options FROM pipeline_steps WHERE step = ? ORDER BY position", [step]
    ).fetchall():
        given = orjson.loads(options)
        contents, files = given.get("contents") or {}, given.get("against") or ()
        against = tuple((_file(f), contents.get(f, "")) for f in ([files] if isinstance(files, str) else files))
        n = store.sql("SELECT count(*) FROM rejections WHERE step = ?", [name]).fetchall()[0][0]
        made.append(Looked(name, step, str(given.get("target") or "rationale"), against, _how(step, given), n))
    for name, rule, table, n in store.sql(_BY_HAND).fetchall() if step != "deduplicate" else []:
        if bool(re.search("benchmark", rule)) == (step == "decontaminate"):
            made.append(Looked(name, step, table.removesuffix("s"), (), rule, n))
    return made


def _how(step: str, given: Mapping[str, Any]) -> str:
    if step == "decontaminate":
        words = f"runs of {given['words']} words in common" if given.get("words") else ""
        rare = f"rare words in common (cosine of {given['rephrased']} or more)" if given.get("rephrased") else ""
        return " and ".join(filter(None, (words, rare)))
    return f"Jaccard similarity of {given.get('threshold')} or more, shingles of {given.get('shingle')} {given.get('unit', 'word')}s"


def _cites(said: Introduced | None) -> list[Cited]:
    made = []
    for cite in (said.cites if said is not None else None) or ():
        found = re.fullmatch(r"arXiv:(\d{4}\.\d{4,5})(?:v\d+)?[\s,:]*(.*)", cite, re.DOTALL)
        made.append(Cited(found[2], found[1]) if found else Cited(cite, ""))
    return made


def _file(name: str) -> str:
    """A path as others need to see it: the file's name."""
    if name.startswith(("gym:", "hub:", "make:")):
        return name
    return re.split(r"[/\\]", name)[-1]


def languages_of(found: Sequence[tuple[str, int]]) -> list[str]:
    """The languages of at least one in twenty of what was measured."""
    total = sum(n for _, n in found)
    return [code for code, n in found if n >= total / 20 and re.fullmatch("[a-z]{2,3}", code)]
