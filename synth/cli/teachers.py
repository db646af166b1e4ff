"""`synth teachers`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from synth.teachers import Profile
    from synth.teachers.check import Report

__all__ = ["command"]


@click.command("teachers", short_help="The teachers of your profile; whether each answers and what it can do.")
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Ask each: is it there, does it have the model, what can it do.")
@click.option(
    "--profile",
    "profile_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Profile with your teachers. Default: $SYNTH_TEACHERS, ./teachers.yaml, ~/.config/synth/teachers.yaml.",
)
def command(names: tuple[str, ...], check: bool, profile_path: Path | None) -> None:
    """List the teachers of the profile; with --check, ask NAMES (or all) whether they are as the profile says.

    A check makes some six small calls to each teacher: a sample reply, and one question for each capability whose
    answer shows that it was used. Whether the model thinks, and where its thought is sent, is seen on the way.

    It exits with 1 where a teacher does not answer, or lacks what the profile says it
    has. Profiles for the usual endpoints are in docs/endpoints.md.

    \b
      synth teachers
      synth teachers --check
      synth teachers --check gpt local
      synth teachers --check "http://localhost:8000/v1#my-model"
    """
    from synth.errors import UserError
    from synth.teachers import load_profile

    profile = load_profile(profile_path)
    chosen = names or tuple(profile.teachers)
    if not chosen:
        remedy = "write a teachers.yaml (docs/endpoints.md has examples), or name one: synth teachers --check local"
        raise UserError("there is no profile with teachers", remedy=remedy)
    if not check:
        _list(chosen, profile)
        return
    good = True
    for name in chosen:
        good &= _check(name, profile)
    sys.exit(0 if good else 1)


def _list(names: tuple[str, ...], profile: Profile) -> None:
    from synth.cli.tables import output, table_of
    from synth.teachers import make_teacher

    roles = {r: (t,) if isinstance(t, str) else t for r, t in profile.roles.items()}
    rows = []
    for name in names:
        teacher = make_teacher(name, profile)
        given = profile.teachers.get(name)
        able = sorted(teacher.capabilities - {"chat"})
        rows.append(
            {
                "teacher": name,
                "model": teacher.model,
                "endpoint": "this machine" if given is not None and given.local else teacher.endpoint,
                "key": (given.key if given is not None else None) or "none",
                "USD in/out": f"{teacher.price.input:g}/{teacher.price.output:g}" if teacher.price else "unknown",
                "capabilities": "found out when needed" if teacher.unknown else ", ".join(able) or "chat alone",
                "roles": ", ".join(r for r, some in roles.items() if name in some),
            }
        )
    output().print(table_of(rows))


def _check(name: str, profile: Profile) -> bool:
    from synth.cli.tables import inert
    from synth.teachers import make_teacher
    from synth.teachers.check import check_teacher
    from synth.teachers.embedded import EmbeddedTeacher

    given = profile.teachers.get(name)
    if given is not None and given.batch:  # the same model, without hours of waiting
        profile = profile.model_copy(update={"teachers": {name: given.model_copy(update={"batch": False})}})
    teacher = make_teacher(name, profile)
    if isinstance(teacher, EmbeddedTeacher):
        teacher.prepare()
    report = asyncio.run(check_teacher(teacher))
    click.secho(f"{name}: {report.model} at {report.endpoint}", bold=True)
    if report.problem is not None:
        click.echo(f"  it cannot be used: {inert(report.problem)}")
        return False
    _tell(report)
    click.echo(f"  said: {inert(report.reply, 100)}")
    claimed = given.capabilities if given is not None and given.capabilities is not None else frozenset()
    lacking = sorted(c for c in claimed if report.capabilities.get(c) is False)
    has = ", ".join(c for c, able in report.capabilities.items() if able) or "none"
    has_not = ", ".join(c for c, able in report.capabilities.items() if not able)
    click.echo(f"  can: {has}" + (f"; cannot: {has_not}" if has_not else ""))
    for capability, why in report.open_.items():
        click.echo(f"  whether it can {capability} could not be found out: {inert(why, 200)}")
    click.echo(f"  thinks: {_thinks(report, given.reasoning if given is not None else None)}")
    if lacking:
        click.echo(f"  the profile says it has {', '.join(lacking)}, and it does not")
    return not lacking


def _thinks(report: Report, said: bool | int | None) -> str:
    """Whether the model thinks and where that is sent, and what the profile should say."""
    from synth.cli.tables import inert

    tokens = f", {report.thought_tokens:,} tokens in a small question" if report.thought_tokens else ""
    if report.thought_kind is None:
        return "no sign of it" + ("; the profile says that it does" if said else "")
    if report.thought_kind == "hidden":
        where = f"yes, hidden: the endpoint sends no text of it{tokens}"
    else:
        where = (
            f"yes, in {inert(report.thought_from)}{' as a summary' if report.thought_kind == 'summary' else ''}{tokens}"
        )
    if said is None:
        where += "; reasoning: true in the profile leaves room for it beside max_tokens of the steps"
    return where + ("; the profile says that it does not" if said is False else "")


def _tell(report: Report) -> None:
    from synth.cli.tables import inert

    listed = {True: "listed by the endpoint", False: "NOT listed by the endpoint", None: "the endpoint lists no models"}
    served = f", answered by {inert(report.served_model)}" if report.served_model not in {None, report.model} else ""
    click.echo(f"  model: {listed[report.listed]}{served}")
    tokens = (
        f"{report.prompt_tokens} tokens read, {report.completion_tokens} written"
        if report.completion_tokens is not None
        else "the endpoint does not count tokens: costs will be unknown"
    )
    click.echo(f"  a reply in {report.latency:.2f} s; {tokens}")
