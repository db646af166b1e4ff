"""Asking the user whether keys and prompts may go to a host."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from synth.approvals import Approve, Question

__all__ = ["asking", "yes_option"]

F = TypeVar("F", bound=Callable[..., Any])


def yes_option(command: F) -> F:
    """`--yes`."""
    return click.option(
        "--yes",
        is_flag=True,
        help="Send keys and prompts also to hosts that are not approved yet, without asking; it is remembered. "
        "`synth models --approved` lists what is.",
    )(command)


def asking(*, yes: bool) -> Approve:
    """Shows a question on standard error, and waits for a y where one is needed.

    Where nobody can be asked, because standard input or error is no terminal, the question is refused, unless `yes`.
    """

    def ask(question: Question) -> None:
        from synth.approvals import not_approved
        from synth.render.inert import inert

        if question.open and not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise not_approved(question, "if you trust this: the same command with --yes, which is remembered")
        click.echo(f"{question.title}:", err=True)
        for line in question.lines:
            click.echo(f"  {inert(line)}", err=True)
        if not question.open or yes:
            return
        prompt = "Go on? The answer yes is remembered (synth models --approved)"
        if not click.confirm(prompt, default=False, err=True):
            raise not_approved(question, "nothing was changed; the same command asks again")

    return ask
