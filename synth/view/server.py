"""The pages of `synth view`, served on loopback."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from synth.errors import SetupError
from synth.view.guard import Guard, Links
from synth.view.pages import Served

__all__ = ["serve"]


def serve(
    served: Served, port: int, on_ready: Callable[[Callable[[], str]], None], on_enter: Callable[[], None]
) -> None:
    """Serve on loopback until interrupted.

    Args:
        served: what is shown.
        port: 0 for any that is free.
        on_ready: called once it listens, with a function that gives a link: an address that lets one browser in.
        on_enter: called when a link was used.

    Raises:
        SetupError: the port is taken.
    """
    listening = socket.socket()
    try:
        if (
            os.name == "posix"
        ):  # where it is to say "also just after an end"; on Windows it would let others take the port too
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise SetupError(
            f"port {port} of this machine cannot be used: {error.strerror}", fix="give another with --port, or none"
        ) from error
    at: int = listening.getsockname()[1]
    links = Links(on_enter)
    app: ASGIApp = Guard(served.app(), at, served.root, links)
    config = uvicorn.Config(
        app, access_log=False, log_level="critical", lifespan="off", server_header=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    try:
        with _ending(server):
            # It listens already: what the browser asks meanwhile waits.
            on_ready(lambda: f"http://127.0.0.1:{at}{served.root}/?token={links.new()}")
            server.run(sockets=[listening])
    finally:
        listening.close()
        served.close()


@contextmanager
def _ending(server: uvicorn.Server) -> Iterator[None]:
    """Interrupts and terminations end the server, from now on; they are raised again when it has ended.

    An exception out of a signal handler is lost where it meets a callback of C code, such as of a loop that starts: a server that is
    interrupted at that moment would serve on. A flag is not lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if seen:
        signal.raise_signal(seen[-1])
