"""A chat endpoint that costs next to nothing, on a loopback port: what is measured is the client.

    python benchmarks/mock_server.py --latency 0.2

prints its base URL, then serves until standard input closes. The reply, some 120 words (1.2 kB of JSON), depends on
nothing but the words of the question, so that two runs can be compared. It can fail: `--refused 0.02 --retry-after 1` refuses
that share of the calls, `--poisoned 0.1` fails that share of the questions for ever, `--outage 5 10` fails all calls for ten
seconds, from five seconds after the first.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import zlib
from functools import partial
from typing import NamedTuple

WORDS = [
    "we",
    "first",
    "note",
    "that",
    "the",
    "number",
    "of",
    "boxes",
    "is",
    "given",
    "and",
    "each",
    "holds",
    "it",
    "so",
]


def rationale(number: int) -> str:
    """A rationale of some 120 words that ends in an answer."""
    rng = random.Random(number)
    lines = [" ".join(rng.choice(WORDS) for _ in range(14)) + "." for _ in range(8)]
    return "\\n".join([*lines, f"The answer is {rng.randrange(100)}."])


RATIONALES = [rationale(number) for number in range(1000)]


def content_of(body: bytes) -> str:
    """One of a thousand rationales; the same for the same question."""
    question = body[body.find(b'"content"') : body.rfind(b'"content"') + 4000]
    return RATIONALES[zlib.crc32(question) % len(RATIONALES)]


class Faults(NamedTuple):
    """How calls fail."""

    refused: float = 0.0
    """Share of the calls that get a 429."""
    retry_after: int | None = None
    """Seconds that it asks for."""
    poisoned: float = 0.0
    """Share of the questions that get a 500, each time."""
    outage: tuple[float, float] = (0.0, 0.0)
    """When all calls begin to fail, in seconds after the first, and for how long."""


class Server(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as a client needs."""

    chance = random.Random(7)
    first: float | None = None

    def __init__(self, latency: float, sigma: float, faults: Faults) -> None:
        self.latency = latency
        self.sigma = sigma
        self.faults = faults
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            start = head.find(b"content-length:")
            length = int(
                head[start + 15 : head.find(b"\r\n", start)] if b"\r\n" in head[start:] else head[start + 15 :]
            )
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            if (head := self.failure(body)) is not None:
                self.send(head, b'{"error":{"message":"not now"}}')
            elif self.latency:
                # By the number of the question: every client is to meet the same long tail.
                drawn = random.Random(body[body.find(b"Case ") :].split(b":", 1)[0])
                wait = self.latency * (drawn.lognormvariate(0, self.sigma) if self.sigma else 1.0)
                asyncio.get_running_loop().call_later(wait, self.answer, body)
            else:
                self.answer(body)

    def failure(self, body: bytes) -> str | None:
        """The head of the reply to a call that fails; None where it does not."""
        faults, now = self.faults, asyncio.get_running_loop().time()
        if Server.first is None:
            Server.first = now
        start, seconds = faults.outage
        number = body[body.find(b"Case ") :].split(b":", 1)[0]
        if start <= now - Server.first < start + seconds or random.Random(number).random() < faults.poisoned:
            return "500 Internal Server Error"
        if Server.chance.random() < faults.refused:
            wait = "" if faults.retry_after is None else f"\r\nretry-after: {faults.retry_after}"
            return f"429 Too Many Requests{wait}"
        return None

    def answer(self, body: bytes) -> None:
        text = content_of(body)
        reply = (
            '{"id":"x","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"message":'
            f'{{"role":"assistant","content":"{text}"}},"logprobs":null,"finish_reason":"stop"}}],'
            '"usage":{"prompt_tokens":150,"completion_tokens":160,"total_tokens":310}}'
        ).encode()
        self.send("200 OK", reply)

    def send(self, head: str, body: bytes) -> None:
        if not self.transport.is_closing():
            more = f"HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            self.transport.write(more.encode() + body)


async def serve(latency: float, sigma: float, faults: Faults) -> None:
    """Serve until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Server, latency, sigma, faults), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds; the median where --sigma is given")
    parser.add_argument("--sigma", type=float, default=0.0, help="of a lognormal distribution of latencies")
    parser.add_argument("--refused", type=float, default=0.0, help="share of the calls that get a 429")
    parser.add_argument("--retry-after", type=int, help="seconds that a 429 asks for")
    parser.add_argument("--poisoned", type=float, default=0.0, help="share of the questions that get a 500, each time")
    parser.add_argument("--outage", type=float, nargs=2, default=(0.0, 0.0), metavar=("START", "SECONDS"))
    given = parser.parse_args()
    serving = serve(
        given.latency, given.sigma, Faults(given.refused, given.retry_after, given.poisoned, tuple(given.outage))
    )
    try:
        import uvloop

        uvloop.run(serving)
    except ImportError:
        asyncio.run(serving)
