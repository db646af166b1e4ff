"""Where keys and prompts may go: what the user has approved, and what has to be asked.

A key, and what is asked of a model, go to a host because somebody wrote its address down. Where that was the user (on the
command line, in a file that is named there, in the user's own settings), nothing is asked. Where it was a file that was
found (`./models.yaml`, the `run.json` of a folder), the user is asked once, and the answer is remembered by the name of
the key and the host. What crosses a network unencrypted is always asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from synth.addresses import hub_address, in_clear, is_loopback, origin_of
from synth.errors import SetupError, UserError
from synth.files import read_file, write_file

__all__ = [
    "COMMAND_LINE",
    "AllowedCode",
    "Approval",
    "Approve",
    "NamedIn",
    "Question",
    "Sending",
    "allow_code",
    "answer",
    "approvals",
    "approve",
    "code_is_allowed",
    "config_folder",
    "held",
    "not_approved",
    "refuse_unapproved",
    "revoke",
    "sent_to_hub",
    "settle",
]

WELL_KNOWN: dict[str, tuple[str, ...]] = {
    "ANTHROPIC_API_KEY": ("https://api.anthropic.com",),
    "CEREBRAS_API_KEY": ("https://api.cerebras.ai",),
    "DEEPSEEK_API_KEY": ("https://api.deepseek.com",),
    "FIREWORKS_API_KEY": ("https://api.fireworks.ai",),
    "GEMINI_API_KEY": ("https://generativelanguage.googleapis.com",),
    "GROQ_API_KEY": ("https://api.groq.com",),
    "HF_TOKEN": ("https://huggingface.co", "https://router.huggingface.co"),
    "MISTRAL_API_KEY": ("https://api.mistral.ai",),
    "OPENAI_API_KEY": ("https://api.openai.com",),
    "OPENROUTER_API_KEY": ("https://openrouter.ai",),
    "TOGETHER_API_KEY": ("https://api.together.xyz", "https://api.together.ai"),
    "XAI_API_KEY": ("https://api.x.ai",),
}
"""The variable that each provider's own documentation names, and the host that gave the key out."""

_FILE = "approvals.json"
_MOST_BYTES = 2**20
_LOCK_SECONDS = 10.0


class NamedIn(NamedTuple):
    """Where an address is written down."""

    place: str
    """A file, or `the command line`."""
    own: bool
    """Whether it is the user's own word: given with the command, or in the user's own settings; not a file that was found."""


COMMAND_LINE = NamedIn("the command line", own=True)


class Sending(NamedTuple):
    """A key, or prompts without one, and the host they go to."""

    key: str | None
    """The *name* of the key: an environment variable or an entry of the keyring. None: no key goes there, prompts do."""
    host: str
    """Scheme, host and port; see `synth.addresses.origin_of`."""
    who: str
    """What sends it, such as `model gpt`."""
    named_in: NamedIn

    def __str__(self) -> str:
        what = f"key {self.key}" if self.key is not None else "prompts, without a key"
        clear = " NOT ENCRYPTED (plain HTTP to another machine)" if in_clear(self.host) else ""
        return f"{what} → {self.host}{clear}, from {self.named_in.place} ({self.who})"


class Approval(BaseModel):
    """A host that the user has approved for a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str | None
    """The name of the key; None: prompts without a key."""
    host: str
    since: str
    """The day, as YYYY-MM-DD."""
    named_in: str
    """Where the address was written down."""


class AllowedCode(BaseModel):
    """Python of a pipeline that the user has allowed to run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the content of the file."""
    file: str
    """Where it lay."""
    since: str
    """The day, as YYYY-MM-DD."""


class _Approvals(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    approved: Annotated[tuple[Approval, ...], Field(max_length=10_000)] = ()
    code: Annotated[tuple[AllowedCode, ...], Field(max_length=10_000)] = ()


class Question(NamedTuple):
    """What the user is shown before anything is sent."""

    lines: tuple[str, ...]
    """What would be read and sent, one each."""
    open: bool
    """Whether an answer is needed; else the lines are shown, and that is all."""
    title: str = "not approved yet"


Approve: TypeAlias = Callable[[Question], None]
"""Shows a question; returns where the user says yes, and raises SetupError where the user does not."""

_code_of_session: set[str] = set()
"""Hashes of Python that was allowed by this process."""
_this_session: set[tuple[str | None, str]] = set()
"""Approved by this process: it counts where the user's settings cannot be written, too."""


def config_folder() -> Path:
    """The user's own settings: `$XDG_CONFIG_HOME/synth`, else `~/.config/synth`."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".config") / "synth"


def approvals() -> tuple[Approval, ...]:
    """What the user has approved, the oldest first; the well-known pairs (`OPENAI_API_KEY` → api.openai.com) aside.

    Raises:
        UserError: the file of approvals cannot be read.
    """
    return _read().approved


def _read() -> _Approvals:
    path = config_folder() / _FILE
    try:
        if not path.exists():
            return _Approvals()
    except OSError:  # no home that can be read
        return _Approvals()
    try:
        return _Approvals.model_validate_json(read_file(path, _MOST_BYTES))
    except ValidationError as error:
        what = f"the file of approvals cannot be read ({error.error_count()} mistakes)"
        raise UserError(what, where=str(path), fix="remove it: hosts are then asked for again") from error


def approve(sendings: Iterable[Sending]) -> None:
    """Remember that these may go there.

    Raises:
        OSError: the user's settings cannot be written; it counts for this process all the same.
        UserError: the file of approvals cannot be read.
    """
    wanted = {(s.key, s.host): s for s in sendings}
    _this_session.update(wanted)
    with held():
        before = approvals()
        known = {(a.key, a.host) for a in before}
        today = time.strftime("%Y-%m-%d")
        new = tuple(
            Approval(key=key, host=host, since=today, named_in=s.named_in.place)
            for (key, host), s in wanted.items()
            if (key, host) not in known
        )
        if new:
            _write((*before, *new))


def revoke(key: str | None, host: str | None) -> tuple[Approval, ...]:
    """Forget approvals: of a key at a host, of a key at every host (`host` None), of all at a host (`key` None).

    Returns:
        Those that were there.

    Raises:
        UserError: the file of approvals cannot be read.
    """
    with held():
        before = approvals()
        gone = tuple(a for a in before if key in {None, a.key} and host in {None, a.host})
        if gone:
            _write([a for a in before if a not in gone])
    _this_session.difference_update((a.key, a.host) for a in gone)
    return gone


def settle(sendings: Sequence[Sending], ask: Approve, reads: Sequence[str] = (), title: str | None = None) -> None:
    """Return when all of it may be sent; what is new is shown, and asked for where it must be.

    Args:
        sendings: what would be sent.
        ask: shows the question.
        reads: what a folder of somebody else names to be read; where there is any, all is asked for, known hosts too.
        title: of the question.

    Raises:
        SetupError: it is not approved.
    """
    sendings = tuple(dict.fromkeys(sendings))
    known = {(a.key, a.host) for a in approvals()} | _this_session
    new = [s for s in sendings if not _is_known(s, known)]
    if not new and not reads:
        return
    lines = (*reads, *map(str, sendings if reads else new))
    question = Question(lines, open=bool(reads) or any(map(_must_be_asked, new)))
    ask(question._replace(title=title) if title is not None else question)
    try:
        approve(new)
    except OSError as error:
        why = f"the answer cannot be remembered: {error.strerror or error}"
        ask(Question((f"{config_folder() / _FILE}: {why}",), open=False, title="note"))


def refuse_unapproved(sendings: Sequence[Sending]) -> None:
    """The last look before anything is sent.

    Raises:
        SetupError: it is not approved.
    """
    known = {(a.key, a.host) for a in approvals()} | _this_session
    if lines := [str(s) for s in sendings if not _is_known(s, known) and _must_be_asked(s)]:
        raise not_approved(Question(tuple(lines), open=True))


def answer(approve: bool | Approve) -> Approve:
    """What shows questions where a program asks: with True everything is approved, with False nothing is that is not yet."""
    if not isinstance(approve, bool):
        return approve

    def ask(question: Question) -> None:
        if question.open and not approve:
            raise not_approved(question, "if you trust these hosts: approve=True; it is remembered")

    return ask


def not_approved(question: Question, fix: str | None = None) -> SetupError:
    """The error for a question that nobody can be asked, or that was answered with no."""
    shown = "".join(f"\n  {line}" for line in question.lines)
    return SetupError(
        f"{question.title}; nothing was sent:{shown}",
        fix=fix or "if you trust these hosts: synth models --approve KEY=HOST (synth models --help)",
    )


def sent_to_hub() -> tuple[Sending, ...]:
    """The token of this machine, which goes with every request to the Hub, or to the one that `HF_ENDPOINT` names.

    Raises:
        SetupError: `HF_ENDPOINT` is not an address, or holds a password.
    """
    from huggingface_hub import get_token

    host = origin_of(hub_address())
    if get_token() is None:
        return ()
    # A mirror is often set for a whole machine, and few know that it is sent their token.
    return (Sending("HF_TOKEN", host, "the Hub", NamedIn("HF_ENDPOINT", own=is_loopback(host))),)


def _is_known(sending: Sending, known: set[tuple[str | None, str]]) -> bool:
    if sending.key is None:
        return is_loopback(sending.host) or any(host == sending.host for _, host in known)
    return (sending.key, sending.host) in known or sending.host in WELL_KNOWN.get(sending.key, ())


def _must_be_asked(sending: Sending) -> bool:
    """Whether the user has to say yes first; of what is new."""
    return in_clear(sending.host) or not sending.named_in.own


def code_is_allowed(sha256: str) -> bool:
    """Whether the user has allowed Python of this content.

    Raises:
        UserError: the file of approvals cannot be read.
    """
    return sha256 in _code_of_session or any(one.sha256 == sha256 for one in _read().code)


def allow_code(files: Iterable[tuple[str, str]]) -> None:
    """Remember that Python may run.

    Args:
        files: the SHA-256 of the content of each file, and where it lies.

    Raises:
        OSError: the user's settings cannot be written; it counts for this process all the same.
        UserError: the file of approvals cannot be read.
    """
    wanted = dict(files)
    _code_of_session.update(wanted)
    if not wanted:
        return
    with held():
        before = _read()
        known = {one.sha256 for one in before.code}
        today = time.strftime("%Y-%m-%d")
        new = [AllowedCode(sha256=d, file=f, since=today) for d, f in wanted.items() if d not in known]
        if new:
            _write_all(before.model_copy(update={"code": (*before.code, *new)}))


def _write(approved: Sequence[Approval]) -> None:
    _write_all(_read().model_copy(update={"approved": tuple(approved)}))


def _write_all(all_of_it: _Approvals) -> None:
    text = all_of_it.model_dump_json(indent=2)
    write_file(config_folder() / _FILE, text + "\n", private=True)


@contextmanager
def held() -> Iterator[None]:
    """Hold the user's settings for writing, so that two processes that write at once lose nothing.

    Raises:
        OSError: the settings cannot be written.
    """
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(folder / ".lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise OSError(f"another process holds {folder}/.lock") from error
