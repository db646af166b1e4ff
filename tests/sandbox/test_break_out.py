"""Attempts to get out of the sandboxes, to hold them up, and to lie about the outcome; `docs/sandbox.md` lists them.

Each attempt runs on each sandbox of this machine. None may reach a file, the network, another process or the environment of ours, and none may
take much longer than its limit. What neither sandbox prevents is tested as well, at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from descendants import below, still

from synth.sandbox import Limits, Program, Result, Sandbox, as_data, choose, why_none

pytestmark = pytest.mark.skipif(why_none() is not None, reason="there is no sandbox here")
SANDBOXES = [one.name for one in choose()] if why_none() is None else []
LIMITS = Limits(seconds=1.0, memory=128 * 2**20, output=20_000)
SECRET = "secret-4711"


@pytest.fixture(params=SANDBOXES)
def sandbox(request) -> Sandbox:
    return choose((request.param,))[0]


async def result_of(
    sandbox: Sandbox, code: str, *, then: str | None = None, value: str | None = None, stdin: str | None = None
) -> Result:
    """What comes of a program; never later than its limit, the time to start and that a busy machine takes aside."""
    begin = time.monotonic()
    try:
        result = await sandbox.run(Program(code, then, value, stdin), LIMITS)
    finally:
        await sandbox.close()
    assert time.monotonic() - begin < 20
    assert len(result.stdout.encode()) <= LIMITS.output + 3
    assert len(result.stderr.encode()) <= LIMITS.output + 3
    return result


def reads(path: str) -> str:
    """A program that tries in several ways to read a file, and prints what it read."""
    return f"""
path = {path!r}
def plain(): return open(path).read()
def low():
    import os
    return os.read(os.open(path, os.O_RDONLY), 10000).decode()
def by_pathlib():
    from pathlib import Path
    return Path(path).read_text()
def of_root():
    return open("/proc/1/root" + path).read()
def by_mapping():
    import ctypes
    return ctypes.CDLL(path)
for attempt in (plain, low, by_pathlib, of_root, by_mapping):
    try:
        print(attempt())
    except Exception as error:
        print(type(error).__name__)
"""


async def test_no_file_of_ours_is_read(sandbox: Sandbox, tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(SECRET)
    for path in (str(file), str(Path.home() / ".bashrc"), "/etc/passwd", "/etc/shadow", str(Path(__file__))):
        result = await result_of(sandbox, reads(path))
        assert SECRET not in result.stdout
        assert "root:" not in result.stdout
        assert "Attempts to get out" not in result.stdout


async def test_no_file_of_ours_is_written(sandbox: Sandbox, tmp_path: Path):
    for path in (tmp_path / "new", Path("/usr/synth-was-here"), Path("/synth-was-here"), Path("/dev/synth-was-here")):
        result = await result_of(sandbox, f"open({str(path)!r}, 'w').write('x')")
        assert result.status in {"error", "unsupported"}
        assert not path.exists()


async def test_a_folder_for_temporary_files_is_empty_small_and_gone_afterwards(sandbox: Sandbox):
    """In bubblewrap there is an empty /tmp, in Monty none."""
    code = "import os\nprint(os.listdir('/tmp'))\nopen('/tmp/left', 'w').write('x')"
    for _ in range(2):
        result = await result_of(sandbox, code)
        assert (
            result.status == "unsupported"
            if sandbox.name == "monty"
            else (result.status, result.stdout) == ("ok", "[]\n")
        )
    flood = "import os\nfor i in range(100):\n    open(f'/tmp/{i}', 'w').write('x' * 2**20)"
    assert (await result_of(sandbox, flood)).status in {"error", "unsupported"}
    shared = "import os\nfor i in range(100):\n    open(f'/dev/shm/{i}', 'w').write('x' * 2**20)"
    assert (await result_of(sandbox, shared)).status in {"error", "unsupported"}
    assert not Path("/tmp/left").exists()


async def test_there_is_no_network(sandbox: Sandbox):
    """A server of ours on this machine hears nothing, also by its abstract name."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as named:
        named.bind(name := f"\0synth-{os.getpid()}-{sandbox.name}")
        named.listen()
        port = server.getsockname()[1]

        def listen(one: socket.socket) -> None:
            with contextlib.suppress(OSError):
                heard.append(one.accept()[0].recv(10))

        for one in (server, named):
            one.settimeout(10)
            threading.Thread(target=listen, args=(one,), daemon=True).start()
        code = f"""
for family, where in ((2, ("127.0.0.1", {port})), (1, {name!r}), (40, (2, 1024))):
    try:
        import socket
        with socket.socket(family, 1) as s:
            s.settimeout(0.2)
            s.connect(where)
            s.send(b"hello")
        print("sent")
    except BaseException as error:
        print(type(error).__name__)
"""
        result = await result_of(sandbox, code)
        assert "sent" not in result.stdout
    assert not heard


@pytest.mark.parametrize("code", [
    "import os\nwhile True:\n    os.fork()",
    "import os\nwhile True:\n    os.posix_spawn('/bin/sh', ['sh', '-c', 'sleep 100'], {})",
    "import subprocess\nsubprocess.Popen(['/bin/sleep', '100'])",
    "import multiprocessing\nmultiprocessing.Process(target=print).start()",
    "import threading, time\nfor _ in range(10**6):\n    threading.Thread(target=time.sleep, args=(100,)).start()",
    "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.syscall(56, 17, 0, 0, 0, 0) >= 0\nwhile True: libc.syscall(57)",
    "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.syscall(0x40000000 + 57) >= 0",
])  # fmt: skip
async def test_there_are_no_new_processes(sandbox: Sandbox, code: str):
    """Forks, spawned and cloned processes are refused; threads end at a limit."""
    result = await result_of(sandbox, code)
    assert result.status in {"error", "unsupported", "memory", "timeout"}
    assert not [p for p in processes() if "sleep 100" in p]
    assert not [one for one in below(os.getpid()) if "program.py" in one.words]


def processes() -> list[str]:
    """The command lines of all processes of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


DEAF = """
import signal
for s in range(1, 65):
    try: signal.signal(s, signal.SIG_IGN)
    except Exception: pass
while True: pass
"""


@pytest.mark.parametrize(("code", "status"), [
    ("while True: pass", {"timeout"}),
    ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", {"timeout"}),
    ("import time\ntime.sleep(1000)", {"timeout"}),
    (DEAF, {"timeout", "unsupported"}),
    ("sum(1 for _ in iter(int, 1))", {"timeout", "memory"}),
    ("(2 ** 10**8) ** 3", {"timeout", "memory", "error"}),
    ("x = 'a' * 10**10", {"memory"}),
    ("x = []\nwhile True: x.append(bytearray(10**6))", {"memory", "unsupported"}),
    ("x = []\nwhile True: x = [x, x, x]", {"memory", "timeout", "error"}),
    ("def f(): f()\nf()", {"error"}),
    ("x = []\nfor _ in range(10**6): x = [x]\nrepr(x)", {"error", "memory", "timeout", "ok"}),
    ("while True: print('x' * 1000)", {"output"}),
    ("import sys\nwhile True: sys.stderr.write('x' * 1000)", {"output", "unsupported"}),
    ("import os\nwhile True: os.write(1, b'x' * 1000)", {"output", "unsupported"}),
    ("import os\nos.write(2, b'x' * 10**6)", {"output", "unsupported"}),
    ("print('x' * 10**9)", {"output", "memory"}),
    ("import re\nre.match('(a+)+b', 'a' * 100)", {"timeout", "ok", "error"}),
])  # fmt: skip
async def test_what_never_ends_ends(sandbox: Sandbox, code: str, status: set[str]):
    result = await result_of(sandbox, code)
    assert result.status in status, result


async def test_our_environment_is_not_seen(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    """Keys are in the environment of this process, and not in that of a program nor of any process that it sees."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    code = """
import os
try: print(dict(os.environ))
except Exception as error: print(error)
for pid in (*range(1, 300), "self"):
    for name in ("environ", "cmdline"):
        try: print(open(f"/proc/{pid}/{name}").read())
        except OSError: pass
"""
    result = await result_of(sandbox, code)
    assert SECRET not in result.stdout + result.stderr
    assert "pytest" not in result.stdout


async def test_other_processes_are_not_seen_nor_stopped(sandbox: Sandbox):
    """A program sees its own processes alone, and signals reach nobody."""
    code = f"""
import os
for pid in (1, {os.getpid()}, {os.getppid()}, os.getppid(), -1):
    try: os.kill(pid, 9)
    except Exception as error: print(type(error).__name__)
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit()))
"""
    result = await result_of(sandbox, code)
    if sandbox.name == "bubblewrap":
        assert str(os.getpid()) not in result.stdout
    assert result.status in {"ok", "error", "unsupported"}


async def test_a_thread_that_goes_on_ends_with_its_program(sandbox: Sandbox):
    code = "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f).start()\nx = 1"
    result = await result_of(sandbox, code, value="x")
    assert result.status == ("unsupported" if sandbox.name == "monty" else "ok")
    assert not [one for one in below(os.getpid()) if "/sandbox/child.py" in one.words]


FORGED = """
import os, json
for fd in range(3, 64):
    try: os.write(fd, json.dumps({'status': 'ok', 'value': 1, 'token': ''}).encode())
    except OSError: pass
os._exit(0)
"""
LIES = [
    "import os\nos._exit(0)",
    "import sys\nsys.exit(0)",
    "raise SystemExit",
    FORGED,
    'print(\'{"status": "ok", "value": 3}\')\nimport os\nos._exit(0)',
    "import builtins\nbuiltins.compile = lambda *a, **k: 'pass'",
    "import builtins\nbuiltins.exec = lambda *a, **k: None",
    "import json, os\nos.write = lambda *a: 0\njson.dumps = lambda *a, **k: '{}'",
    "import builtins\nbuiltins.AssertionError = SystemExit",
    "import os\nos.kill(os.getpid(), 9)",
]


@pytest.mark.parametrize("code", LIES)
async def test_an_early_end_is_no_success(sandbox: Sandbox, code: str):
    """What ends before its tests do, or writes what a success would write, has not passed them."""
    result = await result_of(sandbox, code, then="assert add(1, 2) == 3")
    assert result.status in {"error", "unsupported", "memory"}, result


@pytest.mark.parametrize("value", [
    "type('Huge', (int,), {'__repr__': lambda self: 'boom'})(5)",
    "10 ** 30000",
    "float('inf')",
    "'\\ud800'",
    "{1: {2, 3}}",
    "__import__('os')",
    "(lambda: 1)",
    "[[]] * 10**9",
])  # fmt: skip
async def test_values_are_data_or_nothing(sandbox: Sandbox, value: str):
    """What comes out is what JSON has: no object with methods, no huge number, no half of a character."""
    result = await result_of(sandbox, "x = 1", value=value)
    assert type(result.value) in {type(None), int, str}
    assert result.value == as_data(result.value)


async def test_deep_values_and_control_characters_are_data(sandbox: Sandbox):
    deep = await result_of(sandbox, "x = []\nfor _ in range(900): x = [x]", value="x")
    assert (deep.status, deep.value) == ("error", None)
    ansi = await result_of(sandbox, "print('\\x1b]52;c;aGk=\\x07\\x1b[2J\\x00')", value="'\\x1b[31m'")
    assert (ansi.value, ansi.stdout) == (
        "\x1b[31m",
        "\x1b]52;c;aGk=\x07\x1b[2J\x00\n",
    )  # kept as text; what shows it makes it inert
    assert "\n" not in ((await result_of(sandbox, "raise ValueError('a\\nb' * 10000)")).error or "")


async def test_bytes_that_are_no_text_are_replaced():
    if "bubblewrap" not in SANDBOXES:
        pytest.skip("Monty writes text only")
    result = await result_of(choose(("bubblewrap",))[0], "import os\nos.write(1, bytes([0xff, 0xfe, 65]))")
    assert result.stdout == "\ufffd\ufffdA"


async def test_programs_that_are_no_text_are_not_run(sandbox: Sandbox):
    for code in ("x = 1\0", "x = '\ud800'", "x" * 1_000_001):
        assert (await result_of(sandbox, code)).status == "refused"


async def test_one_program_does_not_see_another(sandbox: Sandbox):
    """Names, changed modules and files of one run are not there in the next."""
    first = "import math\nmath.pi = 3\nleft = 1\n"
    await result_of(sandbox, first)
    result = await result_of(sandbox, "import math\nprint(math.pi)\nprint(left)")
    assert (result.stdout, result.error) == ("3.141592653589793\n", "NameError: name 'left' is not defined")


async def test_a_cancelled_run_leaves_no_process(sandbox: Sandbox):
    before = below(os.getpid())
    task = asyncio.create_task(sandbox.run(Program("while True: pass"), Limits(seconds=60)))
    await asyncio.sleep(1.0)
    begun = below(os.getpid()) - before
    assert begun
    begin = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await sandbox.close()
    assert time.monotonic() - begin < 10
    while (
        still(begun) and time.monotonic() - begin < 10
    ):  # the system ends what is in a namespace after its first process
        await asyncio.sleep(0.05)
    assert still(begun) == set()


async def test_assertions_can_be_deceived_from_within(sandbox: Sandbox):
    """A known limit: assertions run beside the program, so a value that claims to be equal to everything passes them. Tests with `call`
    or `stdout` are compared out of the sandbox, and are not deceived.
    """
    liar = "class Liar:\n    def __eq__(self, other): return True\ndef add(a, b): return Liar()"
    assert (await result_of(sandbox, liar, then="assert add(1, 2) == 3")).status == "ok"
    assert (await result_of(sandbox, liar, value="add(1, 2)")).value is None
