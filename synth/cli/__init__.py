"""The command line. Each command is one file, loaded when it is called."""

from synth.cli.main import main

__all__ = ["main"]
