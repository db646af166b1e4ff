"""The `synth` command."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword

import click

from synth import __version__
from synth.errors import SynthError

__all__ = ["main"]

_COMMANDS = {
    "run": "Run a pipeline, or resume it.",
    "import": "Turn data you own into records of a run.",
    "rounds": "Repeat: run a pipeline, train with a command of yours, continue with the new student.",
    "plan": "Check a pipeline and estimate calls, tokens and price; spends nothing.",
    "rehearse": "Do the whole pipeline with the scripted model.",
    "status": "Where a run stands: funnel, rejections, failures, cost.",
    "retry": "Do the failed records of a run again.",
    "calls": "The ledger: calls, what they cost, one in full; forget some.",
    "models": "The models of your profile; whether each answers and what it can do.",
    "sql": "Ask a run a question in SQL.",
    "curate": "Apply a corpus step to a finished run, or undo the last one.",
    "index": "Note what a run holds, so that later runs are compared with it.",
    "audit": "Checks that a run can fail; how reviewers judge and agree.",
    "report": "One HTML file that shows what a run is, to read or to send.",
    "view": "A run in the browser: search, open, compare, and review manually.",
    "export": "Write what was kept as training rows.",
    "push": "Publish exports on the Hugging Face Hub.",
    "pipelines": "The catalogue of pipelines, and the steps they are made of.",
    "schemas": "Write the JSON Schemas of records, pipeline files and exports.",
    "new": "Begin a pipeline file, or a step, of your own.",
}


class _Commands(click.Group):
    """Loads a command's module when it is asked for, so that `--help` is quick."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"synth.cli.{name}{'_' * iskeyword(name)}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:
            from synth.bounded import nearest

            near = nearest(args[0], _COMMANDS)
            raise click.UsageError(
                f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="synth")
def cli() -> None:
    """Synthesise and curate reasoning corpora you can defend.

    A pipeline takes problems (questions, often with answers), asks models for rationales, verifies them and
    keeps what holds. Every call is a row of a ledger, everything that is rejected has a reason, and any question can be
    asked of the result in SQL.

    \b
      synth rehearse fine-tune-cot --run runs/rehearsal    see it work, without any model
      synth run fine-tune-cot --run runs/first             a small model on this machine, on a sample
      synth run fine-tune-cot --input my.jsonl --run runs/mine --model gpt
      synth status runs/mine
      synth sql runs/mine "SELECT * FROM wide_rationales LIMIT 5"
      synth export runs/mine --to sft --out data

    Exit codes: 0 done; 1 a check failed; 2 something to fix on your side; 3 stopped early, the same command resumes.
    """


def main() -> None:
    """Run the command line; errors of ours are shown as a message, not as a traceback."""
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except SynthError as error:
        from rich.console import Console
        from rich.text import Text

        from synth.redact import redact
        from synth.render.inert import inert_lines

        said = inert_lines(redact(str(error)))  # it may hold what a model wrote
        Console(stderr=True, soft_wrap=True).print(Text("error: ", style="bold red") + Text(said))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            return
        from synth.files import advice_for

        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror or error}\n  → {advice_for(error)}\n")
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("interrupted; the same command resumes\n")
        sys.exit(3)
