"""`synth models`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.approving import asking, yes_option
from synth.cli.as_json import json_option, write_json

if TYPE_CHECKING:
    from synth.approvals import Sending
    from synth.models import Profile
    from synth.models.check import Report

__all__ = ["ApprovalFound", "ModelChecked", "ModelFound", "command"]


@dataclass(frozen=True)
class ModelFound:
    """A model of the profile."""

    model: str
    """Its name in the profile."""
    model_id: str
    """The model that is asked."""
    endpoint: str
    """Where it is asked; `local:MODEL` for one on this machine."""
    local: bool
    """Whether it runs on this machine, as a process of ours."""
    key: str | None
    """The name of its key, never the key; null where it needs none."""
    price_input_usd: float | None
    """US dollars for a million prompt tokens; null where the profile has no price."""
    price_output_usd: float | None
    """US dollars for a million completion tokens; null where the profile has no price."""
    capabilities: list[str] | None
    """What it can do beside chat; null where that is found out when it is needed."""
    roles: list[str]
    """The roles that the profile gives it."""


@dataclass(frozen=True)
class ModelChecked:
    """What `--check` found."""

    model: str
    """Its name in the profile."""
    model_id: str
    """The model that was asked."""
    endpoint: str
    """Where it was asked."""
    good: bool
    """Whether it answers, and has what the profile says."""
    problem: str | None
    """Why it cannot be used; null where it can."""
    listed: bool | None
    """Whether the endpoint lists the model; null where it lists none."""
    served_model: str | None
    """The model that said it answered; null where the endpoint names none."""
    reply: str | None
    """The sample reply."""
    latency_s: float | None
    """Seconds the sample reply took."""
    prompt_tokens: int | None
    """Of the sample; null where the endpoint does not count them."""
    completion_tokens: int | None
    """Of the sample; null where the endpoint does not count them."""
    capabilities: dict[str, bool]
    """What was found out, and whether it has it."""
    unclear: dict[str, str]
    """What could not be found out, and why."""
    lacking: list[str]
    """What the profile says it has, and it does not."""
    thought_kind: str | None
    """What a reply showed of a thought: `raw`, `summary` or `hidden`; null where none did."""
    thought_from: str | None
    """Where the thought stood."""
    thought_tokens: int | None
    """The tokens of that thought, where the endpoint counts them apart."""


@dataclass(frozen=True)
class ApprovalFound:
    """A host that is approved (`--approved`)."""

    key: str | None
    """The name of the key that may go there; null: prompts without a key."""
    host: str
    """The host."""
    since: str
    """The day, as YYYY-MM-DD."""
    named_in: str
    """Where the address was written down."""


@click.command("models", short_help="The models of your profile; whether each answers and what it can do.")
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Ask each: is it there, does it have the model, what can it do.")
@click.option(
    "--profile",
    "profile_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Profile with your models. Default: $SYNTH_MODELS, ./models.yaml, ~/.config/synth/models.yaml.",
)
@click.option("--approved", is_flag=True, help="List the hosts that keys and prompts may go to.")
@click.option(
    "--approve",
    "approving",
    multiple=True,
    metavar="[KEY=]HOST",
    help="Approve a host for a key (the name of its variable), or for prompts without one; may be given many times.",
)
@click.option(
    "--revoke",
    "revoking",
    multiple=True,
    metavar="KEY|HOST|KEY=HOST",
    help="Take approvals back: of a key, of a host, or of a key at a host; may be given many times.",
)
@yes_option
@json_option
def command(
    names: tuple[str, ...],
    check: bool,
    profile_path: Path | None,
    approved: bool,
    approving: tuple[str, ...],
    revoking: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """List the models of the profile; with --check, ask NAMES (or all) whether they are as the profile says.

    A check makes some six small calls to each model: a sample reply, and one question for each capability whose
    answer shows that it was used. Whether the model thinks, and where its thought is sent, is seen on the way.

    It exits with 1 where a model does not answer, or lacks what the profile says it
    has. Profiles for the usual endpoints are in docs/endpoints.md.

    Before a key, or a prompt, goes to a host for the first time because a file says so that you have not named (a models.yaml
    in the working folder, the run.json of a run folder), and before anything goes to another machine unencrypted, you are asked;
    the answer is remembered by the name of the key and the host.

    \b
      synth models
      synth models --check
      synth models --approved
      synth models --approve MY_KEY=https://models.example.org --revoke OTHER_KEY
      synth models --check gpt local
      synth models --check "http://localhost:8000/v1#my-model"
    """
    from synth.approvals import settle
    from synth.errors import UserError
    from synth.models import load_profile

    if approved or approving or revoking:
        _approvals(approving, revoking, as_json=as_json)
        return
    profile = load_profile(profile_path)
    chosen = names or tuple(profile.models)
    if not chosen:
        fix = "write a models.yaml (docs/endpoints.md has examples), or name one: synth models --check local"
        raise UserError("there is no profile with models", fix=fix)
    if not check:
        found = [_found(name, profile) for name in chosen]
        write_json(found) if as_json else _list(found)
        return
    settle(_sendings(chosen, profile), asking(yes=yes))
    checked = []
    for name in chosen:
        report = _report(name, profile)
        checked.append(_checked(name, report, profile))
        if not as_json:
            _show_check(checked[-1], profile)
    if as_json:
        write_json(checked)
    sys.exit(0 if all(c.good for c in checked) else 1)


def _sendings(names: tuple[str, ...], profile: Profile) -> list[Sending]:
    """What a check of these would send."""
    from synth.models import make_model
    from synth.models.endpoint import EndpointModel

    made = [make_model(name, profile) for name in names]
    return [s for model in made if isinstance(model, EndpointModel) for s in model.sendings()]


def _approvals(approving: tuple[str, ...], revoking: tuple[str, ...], *, as_json: bool) -> None:
    """Change what is approved, and list it."""
    from synth.addresses import origin_of
    from synth.approvals import COMMAND_LINE, Sending, approvals, approve, revoke
    from synth.cli.tables import output, table_of

    pairs = [_pair(words) for words in approving]
    approve(Sending(key, origin_of(host), "approved manually", COMMAND_LINE) for key, host in pairs)
    for words in revoking:
        gone = revoke(words, None) if "://" not in words else revoke(_pair(words)[0], origin_of(_pair(words)[1]))
        click.echo(f"{words}: {len(gone)} approvals taken back", err=True)
    found = [ApprovalFound(a.key, a.host, a.since, a.named_in) for a in approvals()]
    rows = [{"key": a.key or "none", "host": a.host, "since": a.since, "named in": a.named_in} for a in found]
    if as_json:
        write_json(found)
    elif rows:
        output().print(table_of(rows))
    click.echo("keys of well-known providers may go to their own hosts (docs/endpoints.md)", err=True)


def _pair(words: str) -> tuple[str | None, str]:
    """`KEY=HOST`, or `HOST`."""
    from synth.errors import UserError

    key, _, host = words.rpartition("=")
    if "://" not in host:
        raise UserError(f"{words} is not [KEY=]HOST", fix="for example MY_KEY=https://models.example.org")
    return key or None, host


def _found(name: str, profile: Profile) -> ModelFound:
    from synth.models import make_model
    from synth.models.embedded import EmbeddedModel

    roles = {r: (t,) if isinstance(t, str) else t for r, t in profile.roles.items()}
    model, given = make_model(name, profile), profile.models.get(name)
    price = model.price
    return ModelFound(
        model=name,
        model_id=model.model_id,
        endpoint=model.endpoint,
        local=isinstance(model, EmbeddedModel),
        key=given.key if given is not None else None,
        price_input_usd=price.input if price else None,
        price_output_usd=price.output if price else None,
        capabilities=None if model.unknown else sorted(model.capabilities - {"chat"}),
        roles=[r for r, some in roles.items() if name in some],
    )


def _list(found: list[ModelFound]) -> None:
    from synth.cli.tables import output, table_of

    rows = [
        {
            "model": t.model,
            "model_id": t.model_id,
            "endpoint": "this machine" if t.local else t.endpoint,
            "key": t.key or "none",
            "USD in/out": "unknown" if t.price_input_usd is None else f"{t.price_input_usd:g}/{t.price_output_usd:g}",
            "capabilities": "found out when needed"
            if t.capabilities is None
            else ", ".join(t.capabilities) or "chat alone",
            "roles": ", ".join(t.roles),
        }
        for t in found
    ]
    output().print(table_of(rows))


def _report(name: str, profile: Profile) -> Report:
    from synth.models import make_model
    from synth.models.check import check_model
    from synth.models.embedded import EmbeddedModel

    given = profile.models.get(name)
    if given is not None and given.batch:  # the same model, without hours of waiting
        profile = profile.model_copy(update={"models": {name: given.model_copy(update={"batch": False})}})
    model = make_model(name, profile)
    if isinstance(model, EmbeddedModel):
        model.prepare()
    return asyncio.run(check_model(model))


def _checked(name: str, report: Report, profile: Profile) -> ModelChecked:
    given = profile.models.get(name)
    claimed = given.capabilities if given is not None and given.capabilities is not None else frozenset()
    lacking = sorted(c for c in claimed if report.capabilities.get(c) is False)
    return ModelChecked(
        model=name,
        model_id=report.model_id,
        endpoint=report.endpoint,
        good=report.problem is None and not lacking,
        problem=str(report.problem) if report.problem is not None else None,
        listed=report.listed,
        served_model=report.served_model,
        reply=report.reply if report.problem is None else None,
        latency_s=report.latency,
        prompt_tokens=report.prompt_tokens,
        completion_tokens=report.completion_tokens,
        capabilities={str(c): able for c, able in report.capabilities.items()},
        unclear={str(c): why for c, why in report.open_.items()},
        lacking=list(lacking),
        thought_kind=report.thought_kind,
        thought_from=report.thought_from,
        thought_tokens=report.thought_tokens,
    )


def _show_check(found: ModelChecked, profile: Profile) -> None:
    from synth.render.inert import inert

    given = profile.models.get(found.model)
    click.secho(f"{found.model}: {found.model_id} at {found.endpoint}", bold=True)
    if found.problem is not None:
        click.echo(f"  it cannot be used: {inert(found.problem)}")
        return
    listed = {True: "listed by the endpoint", False: "NOT listed by the endpoint", None: "the endpoint lists no models"}
    other = found.served_model not in {None, found.model_id}
    click.echo(f"  model: {listed[found.listed]}" + (f", answered by {inert(found.served_model)}" if other else ""))
    tokens = (
        f"{found.prompt_tokens} prompt tokens, {found.completion_tokens} completion tokens"
        if found.completion_tokens is not None
        else "the endpoint does not count tokens: costs will be unknown"
    )
    click.echo(f"  a reply in {found.latency_s:.2f} s; {tokens}")
    click.echo(f"  said: {inert(found.reply, 100)}")
    has = ", ".join(c for c, able in found.capabilities.items() if able) or "none"
    has_not = ", ".join(c for c, able in found.capabilities.items() if not able)
    click.echo(f"  can: {has}" + (f"; cannot: {has_not}" if has_not else ""))
    for capability, why in found.unclear.items():
        click.echo(f"  whether it can {capability} could not be found out: {inert(why, 200)}")
    click.echo(f"  thinks: {_thinks(found, given.reasoning if given is not None else None)}")
    if found.lacking:
        click.echo(f"  the profile says it has {', '.join(found.lacking)}, and it does not")


def _thinks(found: ModelChecked, said: bool | int | None) -> str:
    """Whether the model thinks and where that is sent, and what the profile should say."""
    from synth.render.inert import inert

    tokens = f", {found.thought_tokens:,} tokens in a small question" if found.thought_tokens else ""
    if found.thought_kind is None:
        return "no sign of it" + ("; the profile says that it does" if said else "")
    if found.thought_kind == "hidden":
        where = f"yes, hidden: the endpoint sends no text of it{tokens}"
    else:
        where = (
            f"yes, in {inert(found.thought_from)}{' as a summary' if found.thought_kind == 'summary' else ''}{tokens}"
        )
    if said is None:
        where += "; reasoning: true in the profile leaves room for it beside max_tokens of the steps"
    return where + ("; the profile says that it does not" if said is False else "")
