"""What runs inside of bubblewrap: reads a job, runs it, and writes what came of it. It knows nothing of this package.

Everything here may be read and changed by the program that it runs. It protects nothing of ours: the namespaces, limits and the filter of
system calls around it do, and what it writes is taken as text of a stranger. Against programs that change `builtins`, tests are compiled
before the program runs, and what runs them is held here by names of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
import traceback
import types
from typing import Any

_ENDED_WELL = (None, 0)


def _limit(limits: dict[str, int]) -> None:
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))


def _run(job: dict[str, Any], space: dict[str, Any]) -> dict[str, Any]:
    execute, evaluate, check = exec, eval, json.dumps
    try:
        code = compile(job["code"], "program.py", "exec")
        then = compile(job["then"] or "", "test.py", "exec")
        call = compile(job["value"] or "None", "call.py", "eval")
        try:
            execute(code, space)
        except SystemExit as end:
            if end.code not in _ENDED_WELL:
                raise
        execute(then, space)
        value = evaluate(call, space)
        sys.stdout.flush()
        check(value)
    except MemoryError:
        return {"status": "memory", "error": "MemoryError"}
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are errors as well
        kind = type(error).__name__
        traceback.print_exc(limit=20)
        return {"status": "error", "kind": kind, "error": f"{kind}: {error}"}
    return {"status": "ok", "value": value}


def main(job_fd: int, result_fd: int) -> None:
    """Run the job in one file and write its result to another."""
    with os.fdopen(job_fd, "rb") as file:
        job = json.load(file)
    _limit(job["limits"])
    space = types.ModuleType(job["name"])
    sys.modules[job["name"]] = space
    sys.argv = ["program.py"]
    begin = time.perf_counter()
    result = _run(job, space.__dict__)
    result["seconds"] = time.perf_counter() - begin
    result["token"] = job["token"]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the program may have put something else there, or closed it
            stream.flush()
    os.write(result_fd, json.dumps(result).encode())
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
