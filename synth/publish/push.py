"""From a run to a data set of the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Literal, NamedTuple

from synth.approvals import Approve, answer
from synth.audit import Verdict, failing, run_audits
from synth.errors import CheckFailed, UserError
from synth.export import ExportOptions
from synth.export.check import options_of
from synth.files import temporary_folder
from synth.models import Profile, load_profile
from synth.publish.bundle import NOTE, Bundle, make_bundle
from synth.publish.card import Licenses
from synth.publish.hub import Hub, There
from synth.publish.scan import Found, secrets_here, secrets_in
from synth.store.database import open_store
from synth.store.invented import invented_in
from synth.store.manifest import read_manifest

__all__ = ["Change", "Pushed", "push"]

_STALE = "dataset_infos.json"
"""Where `datasets` used to note columns, and still reads them."""

_SHOWN = 8


class Change(NamedTuple):
    """What becomes of one file of the repository."""

    what: Literal["new", "changed", "unchanged", "gone"]
    path: str
    size: int = 0
    """Bytes."""
    sha256: str = ""
    rows: int | None = None
    """Of a file of data."""


@dataclass(frozen=True)
class Pushed:
    """What was published, or with a dry run what would be."""

    repo: str
    url: str
    branch: str
    private: bool
    exists: bool
    """Whether the repository was there before."""
    changes: tuple[Change, ...]
    others: tuple[str, ...]
    """Files there that no push has written; they stay."""
    left_out: tuple[str, ...]
    """For each reason for which records made no row: how many, and why."""
    notes: tuple[str, ...]
    commit: str | None = None
    """Where the commit can be looked at; None where nothing was written."""

    @property
    def written(self) -> tuple[Change, ...]:
        """The files that are sent or removed."""
        return tuple(c for c in self.changes if c.what != "unchanged")


def push(
    run: Path | str,
    repo: str,
    to: str | Sequence[str],
    options: ExportOptions | None = None,
    *,
    public: bool = False,
    dry_run: bool = False,
    license: str | None = None,  # noqa: A002 - the word of the Hub
    input_license: str | None = None,
    model_licenses: Mapping[str, str] | None = None,
    profile: Path | str | None = None,
    branch: str | None = None,
    message: str | None = None,
    ignore_audits: bool = False,
    audits: Path | str | None = None,
    thresholds: Mapping[str, float] | None = None,
    not_secrets: Iterable[str] = (),
    approve: bool | Approve = False,
) -> Pushed:
    """Publish exports of a run on the Hugging Face Hub, with a card, the pipeline, the audits and a report.

        synth.push("runs/gsm8k", "me/gsm8k-rationales", ["sft", "dpo"], license="cc-by-4.0")

    Every format is a configuration of the data set, with the splits of the run. All files change in one commit. Files that an
    earlier push has written and this one does not are removed; files of others stay. With the same content there nothing is
    sent. The token is that of `HF_TOKEN` or of `hf auth login`; `HF_ENDPOINT` names another Hub.

    Args:
        run: the run folder.
        repo: `OWNER/NAME`, or `NAME` for one's own; made if it is not there.
        to: the format, or formats.
        options: how rows are written; what does not apply to one of the formats is passed over for that one. Files are
            Parquet, regardless of it.
        public: whether a new repository is for everybody to see; needed too for one that already is.
        dry_run: only look; nothing is written anywhere.
        license: of the data set, as the Hub writes it (`apache-2.0`, `cc-by-4.0`…); unknown, if not given.
        input_license: of the problems, in words, for the card.
        model_licenses: of models, by the name of the model; the `license` of a profile comes second.
        profile: the profile file; None for the usual places.
        branch: None for `main`; made if it is not there.
        message: of the commit: a line, and more after it.
        ignore_audits: publish also where audits fail; the card says so.
        audits: a folder with audits of your own.
        thresholds: others than the audits say, by name.
        not_secrets: fingerprints of what looks like a secret and is none, as the refusal shows them.
        approve: whether the token may go to a Hub that is not approved yet (`HF_ENDPOINT`), or what asks the user; it is
            remembered.

    Raises:
        CheckFailed: audits fail, or there is a secret in what would be published.
        UserError: there is nothing to export, no such format, an option does not apply; the name is none; files there that
            are not ours would be overwritten (`options.replace` allows it), or the repository is public; the scripted model
            wrote text of the run.
        SetupError: there is no token, or it may not write there; the Hub cannot be reached, or is not approved.
        Stopped: the connection was lost; the same call resumes.
    """
    run = Path(run)
    options = options or ExportOptions()
    if options.trainer == "openai":
        raise UserError(
            "OpenAI takes JSONL only, and data sets of the Hub are Parquet", fix="synth export --for openai"
        )
    names = [to] if isinstance(to, str) else list(to)
    if not names:
        raise UserError("nothing is to be published", fix="name a format: --to sft")
    applied = options_of(names, replace(options, file_format="jsonl", replace=False))
    formats = {c: o if c == "parquet" else replace(o, file_format="parquet") for c, o in applied.items()}
    known = load_profile(Path(profile) if profile is not None else None)
    licenses = Licenses.known(known, license, input_license, model_licenses)
    _refuse_invented(run)
    hub = Hub(repo, branch, answer(approve))
    there = hub.look()
    if there.exists and not there.private and not public:
        raise UserError(
            "this repository is there, and public",
            where=hub.repo,
            fix="--public, if everybody may read what is published there; else name another",
        )
    verdicts = run_audits(run, folder=audits, thresholds=thresholds)
    if not ignore_audits:
        _refuse_failed(run, verdicts)
    with temporary_folder() as folder:
        bundle = make_bundle(run, Path(folder), formats, verdicts, licenses, hub.repo)
        _refuse_secrets(bundle, known, frozenset(not_secrets))
        changes, others = _changes(bundle, there, hub.repo, replacing=options.replace)
        notes = bundle.notes
        if there.exists and there.private and public:
            notes += ("the repository is private and stays so: its settings on the Hub make it public",)
        pushed = Pushed(
            repo=hub.repo,
            url=hub.url,
            branch=hub.branch,
            private=there.private if there.exists else not public,
            exists=there.exists,
            changes=changes,
            others=others,
            left_out=bundle.left_out,
            notes=notes,
        )
        if dry_run or not pushed.written:
            return pushed
        sent = {c.path for c in changes if c.what in {"new", "changed"}}
        commit = hub.write(
            there,
            [f for f in bundle.files if f.path in sent],
            [c.path for c in changes if c.what == "gone"],
            (message or "").strip() or f"{run.resolve().name} ({', '.join(formats)}), by synth",
            public=public,
        )
    return replace(pushed, commit=commit)


def _refuse_failed(run: Path, verdicts: Sequence[Verdict]) -> None:
    failed = failing(verdicts)
    if failed:
        shown = "".join(f"\n  {v.name}: {v.value:.3g} {v.unit}, {v.bound} {v.threshold:g}" for v in failed)
        raise CheckFailed(
            f"{len(failed)} audits fail:{shown}" if len(failed) > 1 else f"an audit fails:{shown}",
            where=str(run),
            fix=f"synth audit {quote(str(run))} shows what to do; --ignore-audits publishes all the same, and the card says so",
        )


def _refuse_invented(run: Path) -> None:
    """Raise where the scripted model wrote text of the run: no option publishes that."""
    read_manifest(run)
    with open_store(run) as store:
        invented = invented_in(store)
    if invented is not None:
        raise UserError(
            f"{invented.sentence} It is not published",
            where=str(run),
            fix="run the pipeline with a language model, in a folder of its own: synth run PIPELINE --run DIR --model NAME",
        )


def _refuse_secrets(bundle: Bundle, profile: Profile, spared: frozenset[str]) -> None:
    keys = [t.key for t in profile.models.values() if t.key and not t.key.startswith("keyring:")]
    found = secrets_in([(f.path, f.file) for f in bundle.files], secrets_here(keys))
    found = [f for f in found if f.sure or f.mark not in spared]
    if not found:
        return
    shown = "".join(f"\n  {_place(f)}" for f in found[:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    marks = " ".join(f"--allow-secret {mark}" for mark in dict.fromkeys(f.mark for f in found if not f.sure))
    fix = "put the records out (a filter), and revoke the key: it is in the run folder too"
    raise CheckFailed(
        f"what would be published holds what looks like a secret:{shown}{more}",
        fix=f"{fix}; if it is none: {marks}" if marks else fix,
    )


def _place(found: Found) -> str:
    return f"{found.path}, {found.record}: {found.kind} ({found.mark})"


def _changes(bundle: Bundle, there: There, repo: str, *, replacing: bool) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """What becomes of each file, and the files of others.

    Raises:
        UserError: files of others are in the way, and may not be replaced.
    """
    changes, in_the_way = [], []
    noted = {p: hashes for p, hashes in there.noted.items() if p in there.files}
    ours = {p for p, hashes in noted.items() if there.files[p].is_(*hashes)} | ({NOTE} if there.noted else set())
    for f in bundle.files:
        old = there.files.get(f.path)
        what: Literal["new", "changed", "unchanged"] = "new"
        if old is not None:
            what = "unchanged" if old.is_(f.sha256, f.oid) else "changed"
            if what == "changed" and f.path not in ours:
                in_the_way.append(f.path)
        changes.append(Change(what, f.path, f.size, f.sha256, f.rows))
    made = {f.path for f in bundle.files}
    gone = sorted((noted.keys() | (there.files.keys() & {_STALE})) - made)
    in_the_way += [p for p in gone if p not in ours]
    if in_the_way and not replacing:
        written = "was changed since the last push" if in_the_way[0] in noted else "was not written by a push"
        raise UserError(
            f"{in_the_way[0]} is there, is in the way and {written}"
            + (f"; so are {', '.join(in_the_way[1:])}" if in_the_way[1:] else ""),
            where=repo,
            fix="take another repository or branch, or --replace, which replaces or removes it",
        )
    changes += [Change("gone", path) for path in gone]
    others = sorted(there.files.keys() - made - set(gone) - {".gitattributes"})
    return tuple(changes), tuple(others)
