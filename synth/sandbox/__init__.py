"""Running programs that a model wrote: never in this process, and within limits of time, memory and output.

`choose()` gives the sandboxes of this machine: Monty, an interpreter of a part of Python in a worker process (extra `code`), and
bubblewrap, all of Python in namespaces of its own (Linux). What each of them stops, and what neither does, is in `docs/sandbox.md`.
"""

from synth.sandbox.base import Limits, Program, Result, Sandbox, Status, as_data, shortened
from synth.sandbox.choose import choose, why_none

__all__ = ["Limits", "Program", "Result", "Sandbox", "Status", "as_data", "choose", "shortened", "why_none"]
