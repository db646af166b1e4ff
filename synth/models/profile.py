"""The profile: which models there are, and which roles they play."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from synth.addresses import HOW_TO_LOG_IN, fault_of_address
from synth.approvals import COMMAND_LINE, NamedIn, config_folder
from synth.bounded import nearest
from synth.errors import SetupError
from synth.models.base import MOST_SEED, Capability, Model, Price
from synth.models.batch import BatchModel, BatchSettings
from synth.models.endpoint import Client, Continuation
from synth.models.keys import ClientCertificate
from synth.redact import redact
from synth.texts.marks import Mark

__all__ = ["ModelProfile", "Profile", "bind_roles", "load_profile", "make_model"]

PROFILE_NAME = "models.yaml"


class ThoughtMarks(BaseModel):
    """Marks that a model writes around its thought."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    open: str | None = None
    """Before the thought, such as `<plan>`; left out where the chat template writes it into the prompt."""
    close: Annotated[str, Field(pattern=r"\S")]
    """After the thought, such as `</plan>`."""


class ModelProfile(BaseModel):
    """One model of the profile file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str | None = None
    """Where the endpoint is, with the version: `https://api.openai.com/v1`."""
    model: str | None = None
    """The model's name at that endpoint."""
    local: str | None = None
    """Instead of an endpoint, the embedded model: a model of its catalogue or the path of a GGUF file."""
    key: str | None = None
    """The *name* of the environment variable with the API key, or `keyring:SERVICE/USER`; never the key itself."""
    headers: Annotated[dict[str, str], Field(default_factory=dict)]
    """More headers for every request. `$NAME` stands for what that environment variable holds; one that is a secret is
    given so, and never written down or shown."""
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Sampling parameters for every request, unless a step says otherwise; one that is null is not sent, even where a step
    has it: `{max_tokens: null, temperature: null}`."""
    reasoning: bool | Annotated[int, Field(ge=1)] | None = None
    """Whether the model thinks before it replies: `max_tokens` of the steps is then for the visible reply, and 16,384 tokens
    more are allowed for the thought; or how many. Left out: as `parameters` say, else as a probe finds."""
    thoughts: Literal["raw", "summary"] = "raw"
    """What the endpoint sends as reasoning: the trace itself, or a summary of it (OpenAI, Claude, Gemini)."""
    thought_marks: Annotated[tuple[ThoughtMarks, ...], Field(default_factory=tuple)]
    """Marks around the thought within the content, beside those of the families we know."""
    stream: bool = False
    """Whether replies are asked for as streams, for endpoints that have no others."""
    price: Price | None = None
    """US dollars for a million tokens."""
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 32
    """Requests in flight at once, at most; adapts downwards where the endpoint cannot take so many."""
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Requests that may leave in a minute."""
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Tokens, read and written, in a minute."""
    timeout: Annotated[float, Field(gt=0)] = 300.0
    """Seconds one attempt may take."""
    capabilities: frozenset[Capability] | None = None
    """What the endpoint can do; found out by a few small questions where it is not said and a step has use for it."""
    continuation: Continuation = "prefill"
    """How the beginning of a reply is given to it, where a step continues from one."""
    client: Client | None = None
    """`openai`: the official client of OpenAI carries the requests, at some twenty times the CPU a call."""
    client_certificate: str | None = None
    """The file of a client certificate in PEM, for endpoints that ask for one."""
    client_key: str | None = None
    """The file of its key in PEM, not encrypted; left out where the certificate's file holds it too."""
    batch: BatchSettings | bool = False
    """Whether to go through the endpoint's batch interface (hours, half the price): `true`, or how in detail."""
    license: str | None = None
    """Licence of the model, or the terms its output is under, for the cards of data sets; unknown where it is not said."""
    small: bool = False
    """Whether few-shot examples and a JSON schema are worth more to this model than instructions."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.local is None) == (self.base_url is None):
            raise ValueError("give either base_url and model, or local")
        if self.local is not None and self.batch:
            raise ValueError("a local model has no batch interface")
        if self.stream and (self.batch or self.local is not None):
            raise ValueError("stream is for endpoints that are asked call by call")
        if self.base_url is not None and self.model is None:
            raise ValueError("base_url needs a model")
        if self.client is not None and (self.batch or self.local is not None):
            raise ValueError("client: openai is for endpoints that are asked call by call")
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key needs a client_certificate")
        if self.client_certificate is not None and not (self.base_url or "").startswith("https://"):
            raise ValueError("client_certificate is for endpoints at https://")
        if self.key is not None and not re.fullmatch(r"\w+|keyring:[^/]+/.+", self.key):
            raise ValueError("key names an environment variable, or keyring:SERVICE/USER; it is not the key itself")
        if self.base_url is not None and (why := fault_of_address(self.base_url)) is not None:
            raise ValueError(f"{why}: {HOW_TO_LOG_IN}")
        return self

    @field_validator("headers")
    @classmethod
    def _fit_to_send(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(r"[\x20-\x7e]*", value):
                raise ValueError("names and values of headers are visible ASCII characters")
            if _SECRET_HEADER.search(name) and "$" not in value:
                raise ValueError(
                    f"{name} is a secret: let it name an environment variable, such as '$MY_{_variable(name)}'"
                )
        return headers

    @field_validator("parameters")
    @classmethod
    def _fit_to_write(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        seed = parameters.get("seed")
        if seed is not None and (type(seed) is not int or abs(seed) > MOST_SEED):
            raise ValueError(f"seed is a whole number of at most {MOST_SEED:,}")
        for name, value in parameters.items():
            _as_json(name, value)
        return parameters


_SECRET_HEADER = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)


def _variable(header: str) -> str:
    return re.sub(r"\W", "_", header).upper()


def _as_json(name: str, value: Any) -> None:
    """Refuse what no JSON can say, or no endpoint can read; YAML knows more kinds of values."""
    if isinstance(value, dict):
        for inner, one in value.items():
            if not isinstance(inner, str):
                raise ValueError(f"{name}: {inner!r} is not a name (put it in quotes)")  # noqa: TRY004  # pydantic wants it
            _as_json(f"{name}.{inner}", one)
    elif isinstance(value, list):
        for one in value:
            _as_json(name, one)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, which JSON cannot say")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} is a number of more than 64 bits")
    elif value is not None and not isinstance(value, (str, int, float, bool)):
        raise ValueError(f"{name} is a {type(value).__name__}, which JSON does not know (put it in quotes)")


class Profile(BaseModel):
    """The profile file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: Annotated[dict[str, ModelProfile], Field(default_factory=dict)]
    """Models by name."""
    roles: Annotated[dict[str, str | tuple[str, ...]], Field(default_factory=dict)]
    """Which model (or models) plays each role of the pipelines."""

    _named_in: NamedIn | None = PrivateAttr(default=None)

    @property
    def named_in(self) -> NamedIn | None:
        """The file it was read from; None for one that a program made."""
        return self._named_in


def load_profile(path: Path | None = None, *, own: bool = True) -> Profile:
    """The profile at `path`; else `$SYNTH_MODELS`, `./models.yaml`, `~/.config/synth/models.yaml`; else an empty one.

    Args:
        path: the file.
        own: whether the user named `path`; else the hosts in it have to be approved, as those in `./models.yaml`.

    Raises:
        SetupError: it is named and not there, or it is not a profile.
        UserError: it cannot be read.
    """
    from synth.yaml_text import NotYaml, load_yaml

    named = path or (Path(given) if (given := os.environ.get("SYNTH_MODELS")) else None)
    if named is not None and not named.is_file():
        raise SetupError("there is no such profile file", where=str(named), fix="see README.md, Models, for an example")
    candidates = [named] if named else [Path(PROFILE_NAME), config_folder() / PROFILE_NAME]
    found = next((p for p in candidates if p.is_file()), None)
    if found is None:
        return Profile(models={}, roles={})
    named_by_user = own if path is not None else named is not None or found == candidates[1]
    try:
        profile = Profile.model_validate(load_yaml(found) or {})
    except (NotYaml, ValidationError) as error:
        details = (
            "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            if isinstance(error, ValidationError)
            else str(error)
        )
        raise SetupError(f"this is not a profile: {details}", where=str(found)) from error
    profile._named_in = NamedIn(str(found), own=named_by_user)  # noqa: SLF001  # this is what makes profiles of files
    return profile


def make_model(name: str, profile: Profile, named_in: NamedIn = COMMAND_LINE) -> Model:
    """The model of that name.

    Args:
        name: one of the profile; or `local`, `local:MODEL`, `scripted` (`scripted:1` is another; `scripted:thinking` thinks,
            `scripted:thinking:1` too), or `URL#MODEL` for a server without a key.
        profile: where the others are looked up.
        named_in: where the name is written down; it says whose word the address in `URL#MODEL` is.

    Raises:
        SetupError: there is no such model.
    """
    from synth.models.embedded import EmbeddedModel
    from synth.models.endpoint import EndpointModel
    from synth.models.scripted import ScriptedModel
    from synth.models.world import World

    given = profile.models.get(name)
    if given is not None and given.local is not None:
        return EmbeddedModel(
            name, given.local, parameters=given.parameters, reasoning=given.reasoning, marks=_marks_of(given)
        )
    if given is not None:
        assert given.base_url is not None
        assert given.model is not None
        settings = BatchSettings() if given.batch is True else given.batch or None
        kind = partial(BatchModel, batch=settings) if settings is not None else EndpointModel
        return kind(
            name,
            base_url=given.base_url,
            model=given.model,
            key_variable=given.key,
            headers=given.headers,
            parameters=given.parameters,
            price=given.price,
            concurrency=given.concurrency,
            requests_per_minute=given.requests_per_minute,
            tokens_per_minute=given.tokens_per_minute,
            timeout=given.timeout,
            capabilities=given.capabilities | {"chat"} if given.capabilities is not None else None,
            continuation=given.continuation,
            client=given.client,
            certificate=_certificate_of(given),
            small=given.small,
            reasoning=given.reasoning,
            summarised=given.thoughts == "summary",
            marks=_marks_of(given),
            stream=given.stream,
            named_in=profile.named_in,
        )
    if name == "local" or name.startswith("local:"):
        return EmbeddedModel(name, name.partition(":")[2])
    if found := re.fullmatch(r"scripted(:thinking)?(?::(\d{1,9}))?", name):
        world = World(malformed_rate=0.05)
        if found[1]:
            world = replace(world, thinks=1.0, unfinished_rate=0.05)
        return ScriptedModel(world, name=name, seed=int(found[2] or 0))
    if name.startswith(("http://", "https://")) and "#" in name:
        url, _, model = name.partition("#")
        return EndpointModel(model, base_url=url, model=model, named_in=named_in)
    if name.startswith(("http://", "https://")):  # not repeated: it may hold a key
        raise SetupError("an address names no model", fix="URL#MODEL, such as http://localhost:8000/v1#my-model")
    known = [*profile.models, "local", "scripted"]
    near = nearest(name, known)
    raise SetupError(
        f"there is no model {redact(name)!r}",
        fix=(f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(known)}; or URL#MODEL",
    )


def _certificate_of(given: ModelProfile) -> ClientCertificate | None:
    """The client certificate of a profile; `~` is the user's home."""
    if given.client_certificate is None:
        return None
    key = Path(given.client_key).expanduser() if given.client_key is not None else None
    return ClientCertificate(Path(given.client_certificate).expanduser(), key)


def _marks_of(given: ModelProfile) -> tuple[Mark, ...]:
    """The marks of a profile, as the reader takes them."""
    return tuple(
        Mark((m.open or m.close).strip(), (m.open.strip(),) if m.open else (), (m.close.strip(),))
        for m in given.thought_marks
    )


def bind_roles(
    roles: Sequence[str], given: Sequence[str], profile: Profile, default: str = "local"
) -> Mapping[str, tuple[str, ...]]:
    """Which models play each role.

    Args:
        roles: the roles the pipeline names.
        given: `ROLE=NAME`, `ROLE=NAME,NAME` (or each by itself) or `NAME` (for every role), from the command line.
        profile: its `roles` come second.
        default: plays what nobody was named for.

    Raises:
        SetupError: a role is named that the pipeline does not have.
    """
    bound: dict[str, tuple[str, ...]] = {}
    everywhere: tuple[str, ...] | None = None
    for item in given:
        head, equals, names = item.partition("=")
        if not equals or head.startswith(("http://", "https://")):
            everywhere = (item,)
        elif head in roles:
            more = tuple(n.strip() for n in names.split(",") if n.strip())
            bound[head] = tuple(dict.fromkeys((*bound.get(head, ()), *more)))
        else:
            raise SetupError(f"the pipeline has no role {head!r}", fix=f"its roles: {', '.join(roles)}")
    for role in roles:
        if role not in bound:
            from_profile = profile.roles.get(role)
            in_profile = (from_profile,) if isinstance(from_profile, str) else from_profile
            bound[role] = everywhere or in_profile or (default,)
    return bound
