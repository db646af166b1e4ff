"""A repository of the Hub: what is there, and one commit that changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from synth.addresses import hub_address, origin_of
from synth.approvals import Approve, sent_to_hub, settle
from synth.errors import SetupError, Stopped, SynthError, UserError
from synth.files import temporary_folder
from synth.notes import NewerVersionError, read_note
from synth.publish.bundle import NOTE, PUSH_FORMAT, PushNote, Upload
from synth.redact import keep_secret, redact

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["Hub", "There", "ThereFile"]

_KIND = "dataset"
MOST_FILES = 100_000
"""Of a repository: what the Hub advises against."""
MOST_BYTES = 2**26
"""Of the note of what was pushed; some 200 bytes a file."""
_AGAIN = "give the same command again: it resumes, and sends only what is missing"


class ThereFile(NamedTuple):
    """A file of a repository."""

    oid: str
    """Its name in git; of a large file that of its pointer."""
    sha256: str | None
    """Of a large file."""

    def is_(self, sha256: str, oid: str) -> bool:
        """Whether it has this content."""
        return self.sha256 == sha256 if self.sha256 is not None else self.oid == oid


@dataclass(frozen=True)
class There:
    """A repository as it is."""

    exists: bool
    private: bool = True
    head: str | None = None
    """The last commit of the branch."""
    branch: bool = True
    """Whether the branch is there; else it will begin where `main` is."""
    files: Mapping[str, ThereFile] = field(default_factory=dict)
    noted: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What earlier pushes wrote, with SHA-256 and name in git of each."""


class Hub:
    """One data set of the Hub, as seen with the token of this machine.

    Args:
        repo: `OWNER/NAME`, or `NAME` for one's own.
        branch: the branch; None for `main`.
        approve: asks the user whether the token may go to the Hub that `HF_ENDPOINT` names, where that is another.

    Raises:
        UserError: the name is none.
        SetupError: there is no token, it is not valid, or the Hub cannot be reached; the other Hub is not approved.
    """

    def __init__(self, repo: str, branch: str | None, approve: Approve) -> None:
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public all the same

        settle(sent_to_hub(), approve)
        _keep_to_one_host()
        self._api: HfApi = HfApi(endpoint=hub_address())
        self.branch = branch or "main"
        with _told(repo, writing=False):
            validate_repo_id(repo)
            token = get_token()
            if token is None:
                raise SetupError("there is no token for the Hub", fix="hf auth login, or HF_TOKEN=… in the environment")
            keep_secret(token)
            me = self._api.whoami()["name"]
        self.repo = repo if "/" in repo else f"{me}/{repo}"

    @property
    def url(self) -> str:
        """Where people look at it."""
        return f"{self._api.endpoint}/datasets/{self.repo}"

    def look(self) -> There:
        """What is there. Asks only."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
        from huggingface_hub.hf_api import RepoFile

        with _told(self.repo, writing=False):
            has_branch = True
            try:
                info = self._api.dataset_info(self.repo, revision=self.branch)
            except RevisionNotFoundError:
                info, has_branch = self._api.dataset_info(self.repo), False
            except RepositoryNotFoundError:
                return There(exists=False)
            head = info.sha
            if head is None:
                return There(exists=True, private=bool(info.private), branch=has_branch)
            tree = self._api.list_repo_tree(self.repo, recursive=True, revision=head, repo_type=_KIND)
            listed = [f for f in islice(tree, MOST_FILES + 1) if isinstance(f, RepoFile)]
            if len(listed) > MOST_FILES:
                raise UserError(f"the repository has more than {MOST_FILES:,} files", where=self.repo)
            files = {f.path: ThereFile(f.blob_id, f.lfs.sha256 if f.lfs else None) for f in listed}
            small = any(f.path == NOTE and f.size <= MOST_BYTES for f in listed)
            noted = self._note(head) if small else {}
        return There(True, bool(info.private), head, has_branch, files, noted)

    def _note(self, head: str) -> dict[str, tuple[str, str]]:
        with temporary_folder() as folder:
            path = self._api.hf_hub_download(self.repo, NOTE, revision=head, repo_type=_KIND, local_dir=folder)
            try:
                note = read_note(Path(path), PushNote, PUSH_FORMAT, fix="remove it")
            except NewerVersionError as error:
                raise UserError(error.what, where=f"{NOTE}, in {self.repo}", fix=error.fix) from error
            except UserError:
                return {}  # not one of ours: then nothing there is
            return {p: (f.sha256, f.oid) for p, f in note.files.items()}

    def write(self, there: There, files: Sequence[Upload], gone: Sequence[str], message: str, *, public: bool) -> str:
        """Make the repository and the branch where they are not there, and change all files in one commit; returns its address.

        Content that the Hub has is not sent again, so that an upload that was cut off resumes.

        Raises:
            Stopped: the connection was lost, or somebody else wrote meanwhile; the same can be done again.
            SetupError: the token may not write there.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        title, _, more = message.strip().partition("\n")
        with _told(self.repo, writing=True):
            head = there.head
            if not there.exists:
                self._api.create_repo(self.repo, repo_type=_KIND, private=not public, exist_ok=True)
                head = self._api.dataset_info(self.repo).sha
            if self.branch != "main" and not (there.exists and there.branch):
                self._api.create_branch(self.repo, repo_type=_KIND, branch=self.branch, exist_ok=True)
            changes: list[Any] = [CommitOperationAdd(f.path, f.file) for f in files]
            changes += [CommitOperationDelete(path, is_folder=False) for path in gone]
            done = self._api.create_commit(
                self.repo,
                changes,
                commit_message=title,
                commit_description=more.strip(),
                repo_type=_KIND,
                revision=self.branch,
                parent_commit=head,
            )
        return str(done.commit_url)


@cache
def _keep_to_one_host() -> None:
    """Let the library's client send nothing on to where a redirect leads; once for the process, for any client it has.

    It takes the token off itself where a redirect leads to another host (the storage that downloads come from), and it would
    send the content of a 307 or 308 there all the same.
    """
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    make = _http._GLOBAL_CLIENT_FACTORY  # noqa: SLF001  # the user's own, if there is one

    def guarded() -> Any:
        client = make()
        hooks = client.event_hooks
        client.event_hooks = {**hooks, "response": [*hooks["response"], _refuse_to_send_on]}
        return client

    set_client_factory(guarded)


def _refuse_to_send_on(response: Any) -> None:
    """Raise where a redirect would send content to another host."""
    if not response.has_redirect_location or response.request.method in {"GET", "HEAD"}:
        return
    there = response.request.url.join(response.headers["location"])
    if response.status_code in {307, 308} and origin_of(_bare(there)) != origin_of(_bare(response.request.url)):
        what = f"the Hub sends us on to {origin_of(_bare(there))}, and what is published does not go there"
        raise SetupError(what, where=origin_of(_bare(response.request.url)), fix="look at HF_ENDPOINT")


def _bare(url: Any) -> str:
    """A URL without its query, which signatures stand in."""
    return str(url.copy_with(query=None, fragment=None, userinfo=b""))


@contextmanager
def _told(repo: str, *, writing: bool) -> Iterator[None]:
    """Turn what the library of the Hub raises into errors that say what to do."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except (SynthError, KeyboardInterrupt):
        raise
    except HFValidationError as error:
        raise UserError(f"{repo!r} is not a name for a repository: {_said(error)}", fix="OWNER/NAME") from None
    except Exception as error:
        chain = list(_chain(error))
        if answered := next((e for e in chain if isinstance(e, HfHubHTTPError)), None):
            raise _answered(repo, answered) from None
        if lost := next((e for e in chain if _is_network(e)), None):
            if writing:
                raise Stopped(f"the connection to the Hub was lost: {_said(lost)}", where=repo, fix=_AGAIN) from None
            fix = "look at the network, and at HF_ENDPOINT"
            raise SetupError(f"the Hub cannot be reached: {_said(lost)}", where=repo, fix=fix) from None
        if isinstance(error, ValueError):  # the Hub's verdict on a card, or an answer that it does not give
            raise UserError(f"the Hub does not take this: {_said(error)}", where=repo) from None
        if isinstance(error, RuntimeError):  # how the library of large files reports that it was cut off
            raise Stopped(
                f"the upload was cut off: {_said(error)} {_said(chain[-1])}", where=repo, fix=_AGAIN
            ) from None
        raise


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_network(error: BaseException) -> bool:
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the HTTP library in use

    return isinstance(error, (HTTPError, ConnectionError, TimeoutError))


def _answered(repo: str, error: Any) -> SynthError:
    status = error.response.status_code
    said = redact(str(error.server_message or "").strip().partition("\n")[0][:300])
    more = f": {said}" if said else ""
    if status == 401:
        return SetupError(
            f"the Hub does not accept the token{more}",
            where=repo,
            fix="hf auth login, or HF_TOKEN=… in the environment: a token with the right to write",
        )
    if status == 403:
        return SetupError(
            f"the token may not do this{more}",
            where=repo,
            fix="a token with the right to write there, or another OWNER",
        )
    if status == 404:
        return UserError(f"the Hub has no such thing{more}", where=repo, fix="look at OWNER, NAME and --branch")
    if status in {409, 412}:
        what = "the repository was changed by somebody else meanwhile"
        return Stopped(f"{what}{more}", where=repo, fix="give the same command again: it looks at what is there now")
    if status in {408, 429} or status >= 500:
        return Stopped(f"the Hub cannot do it now (HTTP {status}){more}", where=repo, fix=_AGAIN)
    return UserError(f"the Hub refuses (HTTP {status}){more}", where=repo)


def _said(error: BaseException) -> str:
    """The first line of what an error says, without secrets."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return redact(lines[0][:300]) if lines else type(error).__name__
