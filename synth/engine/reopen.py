"""A run folder taken up again, with the pipeline, models and problems that it names."""

from __future__ import annotations

from pathlib import Path

from synth.approvals import Approve, NamedIn
from synth.engine.rows import restore_rows
from synth.engine.session import Foreign, Session, open_session
from synth.engine.signature import is_signed
from synth.errors import UserError
from synth.pipeline import read_pipeline
from synth.store.manifest import Manifest

__all__ = ["reopen"]


def reopen(run: Path, manifest: Manifest, *, approve: bool | Approve = False) -> Session:
    """The session a run folder was last worked on with.

    What the folder says is the user's own word only where this user's signature stands under it (`synth.engine.signature`);
    else all that would be read and sent is asked for first.

    Args:
        run: the run folder.
        manifest: what it remembers.
        approve: as in `open_session`.

    Raises:
        The same as `open_session`. The folder does not say with which command it was made (UserError).
    """
    if manifest.words is None:
        raise UserError(
            "run.json does not say with which command this run was made",
            where=str(run),
            fix="give the command of the run again: it asks what failed once more where units are done again",
        )
    words = manifest.words.model_dump()
    if words["own"]:
        raise UserError(
            f"who plays {', '.join(words['own'])} was made in Python, and cannot be made from here",
            where=str(run),
            fix="give the same call again there: it resumes, and asks again what failed with again=True",
        )
    restore_rows(run)
    pipeline, source, profile = words["pipeline"], words["input"], words["profile"]
    mapping = words["mapping"]
    named = str(run / pipeline) if str(pipeline).endswith((".yaml", ".yml")) else pipeline
    media_from = [run / one for one in words["media_from"]]
    input_name = source if source is None or source.startswith(("gym:", "hub:", "make:")) else str(run / source)
    mapping_name = str(run / mapping) if mapping and mapping.endswith((".yaml", ".yml")) else mapping
    profile_path = run / profile if profile else None
    foreign = None
    if not is_signed(manifest.words.model_dump(exclude_unset=True), manifest.signature):
        reads = {
            "the pipeline": run / pipeline["folder"] if isinstance(pipeline, dict) else named,
            "the problems": input_name,
            "the mapping": mapping_name,
            "the profile": profile_path,
            "the models": ", ".join(words["model"]) or None,
            "folders whose files the input and the pipeline may name": ", ".join(map(str, media_from)) or None,
        }
        lines = (f"{what}: {_shown(given)}" for what, given in reads.items() if given is not None)
        foreign = Foreign(f"{run / 'run.json'} was not written by you, or not on this machine. It names", tuple(lines))
    return open_session(
        read_pipeline(pipeline["given"], run / pipeline["folder"], media_from) if isinstance(pipeline, dict) else named,
        input_name=input_name,
        maps=words["map"],
        mapping=mapping_name,
        references=words["references"],
        given=words["model"],
        profile_path=profile_path,
        media_from=media_from,
        approve=approve,
        named_in=NamedIn(str(run / "run.json"), own=False),
        foreign=foreign,
    )


def _shown(given: str | Path) -> str:
    """A file by its whole path, so that nobody has to count `..`; other names as they are."""
    path = Path(given)
    return str(path.resolve()) if path.exists() else str(given)
