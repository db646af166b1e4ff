"""The card of a data set: what it is, how it was made and what it cost, what was checked, and what it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from synth.audit import Verdict, run_audits
from synth.errors import UserError
from synth.export.files import PATIENCE_SECONDS, Folder
from synth.locks import locked
from synth.models import Profile, load_profile
from synth.publish.configs import Config, configs_of
from synth.publish.facts import Facts, facts_of, languages_of
from synth.publish.markdown import Ours, code, escaped, title
from synth.store.database import Store, open_store

__all__ = ["BESIDE", "CARD", "INVENTED", "Licenses", "card_of", "check_card_place", "write_card"]

CARD = "README.md"
INVENTED = "invented-text"
"""The tag of a data set whose text the scripted model wrote."""

_SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]
_LARGEST = "10M<n<100M"

BESIDE = {
    "pipeline.yaml": " (its steps with all their options)",
    "audits.json": " (what was checked, and the verdicts)",
    "report.html": " (figures, and examples of what is kept and what is rejected)",
}
"""Files that may lie beside the data, with what they are."""


class Licenses(NamedTuple):
    """Whose licences somebody has said; of the others the card says that they are unknown."""

    own: str | None = None
    """Of the data set, as the Hub writes it: `apache-2.0`, `cc-by-4.0`…"""
    input: str | None = None
    """Of the problems, in words."""
    models: Mapping[str, str] = {}
    """Of models, by the name of the model."""

    @classmethod
    def known(
        cls,
        profile: Profile,
        own: str | None,
        problems: str | None,
        models: Mapping[str, str] | None,
    ) -> Licenses:
        """What was said, and of the other models what a profile says."""
        named = {name: model.license for name, model in profile.models.items() if model.license}
        return cls(own, problems, named | dict(models or {}))


def card_of(
    store: Store,
    run: Path,
    configs: Sequence[Config],
    verdicts: Sequence[Verdict],
    licenses: Licenses | None = None,
    *,
    name: str | None = None,
    repo: str | None = None,
    beside: Sequence[str] = (),
) -> str:
    """The card (`README.md`) of exports of a run, with the header that the Hub and `datasets` read.

    Args:
        store: the run, open for reading.
        run: its folder.
        configs: the exports, with paths as seen from the card.
        verdicts: what the audits say of the run.
        licenses: what is known of licences.
        name: what the data set is called; None: as the run.
        repo: where it will be loaded from; None: from a folder.
        beside: other files in the same folder, of `pipeline.yaml`, `audits.json` and `report.html`.
    """
    licenses = licenses or Licenses()
    facts = facts_of(store, run, licenses.models)
    called = title(name or run.resolve().name)
    header = yaml.safe_dump(
        _header(facts, configs, licenses, called),
        sort_keys=False,
        allow_unicode=True,
        width=1000,
        default_flow_style=False,
    )
    body = _template().render(
        name=called,
        repo=repo,
        f=facts,
        configs=configs,
        verdicts=verdicts,
        failed=[v for v in verdicts if v.status == "failed"],
        skipped=[v for v in verdicts if v.status == "skipped"],
        licenses=licenses,
        languages=languages_of(facts.languages),
        limits=list(_limits(facts, verdicts)),
        beside=beside,
        beside_words=BESIDE,
        usd=_total([t.usd for t in facts.taught]),
        unpriced=sum(t.unpriced for t in facts.taught),
        read=_total([t.read for t in facts.taught]),
        written=_total([t.written for t in facts.taught]),
    )
    return f"---\n{header}---\n\n{body}"


def check_card_place(run: Path | str, out: Path | str, *, replace: bool = False) -> None:
    """Find out whether `write_card` may write there, before anything is written.

    Args:
        run: the run folder.
        out: the folder the exports go to.
        replace: whether a `README.md` that is no card of this run may be replaced.

    Raises:
        UserError: there is a `README.md` that may not be replaced, or `out` cannot hold it.
    """
    Folder(Path(out), "card", re.escape(CARD), Path(run), replace=replace)


def write_card(
    run: Path | str,
    out: Path | str,
    *,
    license: str | None = None,  # noqa: A002 - the word of the Hub
    input_license: str | None = None,
    model_licenses: Mapping[str, str] | None = None,
    profile: Path | str | None = None,
    replace: bool = False,
) -> Path:
    """Write the card of the exports of a run that lie in a folder, as `README.md` beside them; an earlier one is replaced.

    Args:
        run: the run folder.
        out: the folder `export_run` wrote to.
        license: of the data set, as the Hub writes it (`apache-2.0`, `cc-by-4.0`…); unknown, if not given.
        input_license: of the problems, in words.
        model_licenses: of models, by the name of the model; the `license` of a profile comes second.
        profile: the profile file; None for the usual places.
        replace: whether a `README.md` that is no card of this run may be replaced.

    Raises:
        UserError: there is no export of this run in the folder, or a `README.md` that may not be replaced.
    """
    run, out = Path(run), Path(out)
    known = load_profile(Path(profile) if profile is not None else None)
    if not out.is_dir():
        raise _nothing(out)
    with (
        open_store(run) as store,
        locked(out, PATIENCE_SECONDS),
        Folder(out, "card", re.escape(CARD), run, replace=replace) as folder,
    ):
        configs = configs_of(out, run)
        if not configs:
            raise _nothing(out)
        licenses = Licenses.known(known, license, input_license, model_licenses)
        folder.keep({CARD: card_of(store, run, configs, run_audits(store), licenses).encode()}, {})
    return out / CARD


def _nothing(out: Path) -> UserError:
    return UserError("there is no export of this run in the folder", where=str(out), fix="synth export --to …")


def _header(facts: Facts, configs: Sequence[Config], licenses: Licenses, called: str) -> dict[str, Any]:
    rows = sum(config.rows for config in configs)
    made = facts.asked or any(author in {"teacher", "student"} for author, _, _ in facts.authors)
    formats = [c for c in dict.fromkeys(config.format for config in configs) if c != "parquet"]
    tags = [*([INVENTED] if facts.invented else []), *(["synthetic"] if made else []), "synth", "reasoning", *formats]
    tasks = [
        "text-generation",
        *(["question-answering"] if facts.gold else []),
        *(["multiple-choice"] if facts.choices else []),
    ]
    languages = languages_of(facts.languages)
    return {
        "pretty_name": called,
        "license": licenses.own or "unknown",
        **({"language": languages} if languages else {}),
        "task_categories": tasks,
        "size_categories": [next((word for most, word in _SIZES if rows < most), _LARGEST)],
        "tags": tags,
        "configs": [
            {
                "config_name": config.name,
                **({"default": True} if config is configs[0] else {}),
                "data_files": [{"split": split.name, "path": split.path} for split in config.splits],
            }
            for config in configs
        ],
    }


def _limits(facts: Facts, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What a user of the rows should know, as far as the run shows it."""
    if facts.invented:
        yield facts.invented
    if facts.kept and facts.verified == facts.kept:
        yield "Every kept rationale ends in the answer that is known to be right; whether its reasoning is right was not proved by that."
    elif facts.kept and facts.verified:
        yield (
            f"{facts.verified:,} of {facts.kept:,} kept rationales end in the answer that is known to be right, which does not prove "
            "their reasoning; of the others nobody knows whether their answer is right."
        )
    elif facts.kept:
        yield "No answer was compared with one that is known to be right."
    if facts.choices:
        yield "Of problems with options some right answers are lucky guesses."
    if facts.hinted:
        yield f"{facts.hinted:,} kept rationales explain an answer their author was shown, and did not find."
    if facts.reviews:
        yield f"{facts.reviews:,} reviews are verdicts of models, which can be lenient and wrong together; how they agree is in the audits."
    yield (
        f"People judged {facts.people:,} rationales; the others were read by nobody."
        if facts.people
        else "No person has judged any of these rows."
    )
    if not facts.decontaminated:
        yield "Do not use these rows to train what is then measured on a public benchmark, before you have looked for its items in them."
    if not facts.languages:
        yield "In which languages the texts are was not measured."
    if any(v.status == "failed" for v in verdicts):
        yield "Some audits failed: see above."
    if any(author in {"teacher", "student"} for author, _, _ in facts.authors):
        yield "Texts of models can hold mistakes, prejudices and made-up facts, also where the answer is right."


def _total(counts: Sequence[float | None]) -> float | None:
    known = [n for n in counts if n is not None]
    return sum(known) if known else None


@cache
def _template() -> Any:
    made = Environment(  # noqa: S701  # Markdown, not HTML: `finalize` escapes what is not ours
        loader=PackageLoader("synth.publish"),
        undefined=StrictUndefined,
        finalize=escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "code": code,
        "ours": Ours,
        "number": _number,
        "money": _money,
        "share": _share,
        "measured": _measured,
    }
    return made.get_template("card.md")


def _number(value: float | None) -> Ours:
    return Ours("unknown" if value is None else f"{value:,.0f}")


def _measured(value: float | None) -> Ours:
    if value is None:
        return Ours("")
    return Ours(f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}")


def _money(value: float | None) -> Ours:
    if value is None:
        return Ours("unknown")
    return Ours(f"{value:,.2f} USD" if value >= 1 or value == 0 else f"{value:.4f} USD")


def _share(part: float, whole: float) -> Ours:
    return Ours(f"{100 * part / whole:.0f} %" if whole else "–")
