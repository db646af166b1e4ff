"""Every error this library raises on purpose.

SynthError
├── UserError            the user's mistake; exit code 2
│   ├── InputError       rows or files that cannot be read as problems
│   ├── PromptError      a prompt that cannot be filled in for a record
│   ├── PipelineError    a pipeline file that does not pass the static check
│   ├── RunFolderError   a run folder that cannot be used for this run
│   └── SetupError       something is not installed, not set, or cannot be fetched
├── CheckFailed          what was to be made public does not pass a check: audits, a search for secrets; exit code 1
├── Stopped              the run ended early and can be resumed by the same command; exit code 3
└── ModelError         one call did not give a usable reply; becomes a `Failure` row
"""

from __future__ import annotations

__all__ = [
    "CheckFailed",
    "InputError",
    "ModelError",
    "PipelineError",
    "PromptError",
    "RunFolderError",
    "SetupError",
    "Stopped",
    "SynthError",
    "UserError",
]


class SynthError(Exception):
    """The base of all; carries what happened, where, and what to do about it."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(what, where, fix)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  → {self.fix}" if self.fix else head


class UserError(SynthError):
    """The user's mistake: the message says what, where and what to do."""

    exit_code = 2


class PromptError(UserError):
    """A prompt that cannot be filled in for a record."""


class InputError(UserError):
    """Rows or files that cannot be read as problems."""


class PipelineError(UserError):
    """A pipeline file that does not pass the static check; lists every mistake at once."""


class RunFolderError(UserError):
    """A run folder that cannot be used: another pipeline, another version, another process, read-only."""


class SetupError(UserError):
    """Something is not installed, not set, not reachable or cannot be fetched."""


class StepError(UserError):
    """A step made what no step may make: the mistake is in its code."""


class CheckFailed(SynthError):
    """What was to be made public does not pass a check; the message says which, and what to do about it."""


class Stopped(SynthError):
    """The run ended early (budget, interrupt, full disk); nothing paid is lost and the same command resumes."""

    exit_code = 3


class ModelError(SynthError):
    """One call did not give a usable reply.

    Attributes:
        cause: a stable word: `truncated`, `thought_cut`, `only_thought`, `empty`, `refused`, `rate_limit`, `server`,
            `connection`, `timeout`, `auth`, `not_found`, `bad_request`, `malformed`,
            `raised`.
        retriable: whether asking the same again later may succeed.
        fatal: whether every other call to this endpoint must fail for the same reason.
        retry_after: seconds the endpoint asked us to wait, if it did.
        raw: the reply as it came, if any.
        parameter: the sampling parameter that the endpoint does not take, where that is why it refused.
        unavailable: whether the endpoint says that it serves nobody at the moment (503), as while it loads a model.
        stale: whether it went out on a connection that the endpoint was closing, and can be asked again at once.
    """

    def __init__(
        self,
        cause: str,
        what: str,
        *,
        retriable: bool = False,
        fatal: bool = False,
        retry_after: float | None = None,
        raw: str | None = None,
        fix: str | None = None,
        stale: bool = False,
        parameter: str | None = None,
        unavailable: bool = False,
    ) -> None:
        super().__init__(what, fix=fix)
        self.cause = cause
        self.stale = stale
        self.unavailable = unavailable
        self.parameter = parameter
        self.retriable = retriable
        self.fatal = fatal
        self.retry_after = retry_after
        self.raw = raw
