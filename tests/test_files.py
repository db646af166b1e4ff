"""Files are replaced whole or not at all, and read within bounds."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from synth.errors import UserError
from synth.files import Draft, draft, make_folder, read_file, remove_abandoned, replace_files, write_file, writing
from synth.locks import locked
from synth.reach import Reach, inside


def test_write_replaces_whole(tmp_path):
    """A block that fails leaves the old content and no draft."""
    path = tmp_path / "new" / "a.json"
    write_file(path, "old")

    def fail() -> None:
        with draft(path) as new:
            new.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_two_drafts_never_meet(tmp_path):
    """Two writers of one file have different drafts; the last to finish wins."""
    path = tmp_path / "a"
    with draft(path) as first:
        first.write_text("first")
        with draft(path) as second:
            assert second != first
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"


@pytest.mark.skipif(os.name == "nt", reason="drafts are locked on POSIX")
def test_abandoned_drafts_are_removed(tmp_path):
    """A draft that a killed process left goes; one in use stays, and so does that of another file."""
    path = tmp_path / "a[1]*.json"
    left, other = (tmp_path / f".{n}.draft" for n in ("a[1]*.json.00", "a1x.json.22"))
    left.write_text("x")
    other.write_text("x")
    used = Draft(path)
    write_file(path, "x")
    assert {p.name for p in tmp_path.iterdir()} == {path.name, used.new.name, other.name}
    used.discard()
    remove_abandoned(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_private_files(tmp_path):
    """A private file is never readable by others, also while it is written."""
    with draft(tmp_path / "a", private=True) as new:
        assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_modes_last(tmp_path):
    """A file that is replaced keeps its mode; a private folder is for its owner, those above it are as usual."""
    path = tmp_path / "a"
    path.write_text("old")
    for mode in (0o600, 0o664, 0o644):
        path.chmod(mode)
        write_file(path, "new")
        assert stat.S_IMODE(path.stat().st_mode) == mode
    make_folder(tmp_path / "b" / "c", private=True)
    assert stat.S_IMODE((tmp_path / "b" / "c").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) & 0o500 == 0o500
    with pytest.raises(FileExistsError):
        make_folder(path)


@pytest.mark.skipif(os.name == "nt", reason="no named pipes")
def test_devices_and_pipes_are_written_to(tmp_path):
    """A path that is no regular file is not replaced: what is written goes into it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()))
    reader.start()
    write_file(pipe, "x")
    reader.join(10)
    assert came == [b"x"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_file(Path("/dev/null"), "x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    (tmp_path / "link").symlink_to("/dev/null")
    write_file(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()


def test_errors_name_the_file(tmp_path):
    """An error of a write, which knows only a descriptor, gets the name of the file."""

    def fail() -> None:
        with writing(tmp_path / "a"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space") as caught:
        fail()
    assert caught.value.filename == str(tmp_path / "a")


def test_files_are_replaced_together(tmp_path):
    """The first file replaces its old one directly; what has no new file is gone."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("old")
    drafts = [Draft(tmp_path / name) for name in ("a", "b", "d")]
    for made in drafts:
        made.open().write(b"new")
    replace_files(drafts, [tmp_path / name for name in ("a", "b", "c")])
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys("abd", "new")


def test_one_process_holds_a_folder(tmp_path):
    """A second process waits for the first one, or gives up with words; no file is left in the folder."""
    code = (
        "import sys; from pathlib import Path; from synth.locks import locked\n"
        "with locked(Path(sys.argv[1]), 5): print('in', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(UserError, match="another process"), locked(tmp_path, 0.1):
            pass
        threading.Timer(0.3, other.stdin.close).start()
        began = time.monotonic()
        with locked(tmp_path, 10):
            assert time.monotonic() - began > 0.2
        assert other.wait(10) == 0
    assert not list(tmp_path.iterdir())


def test_read_is_bounded(tmp_path):
    """Only regular files up to the limit are read; a pipe does not hang."""
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a", 5) == b"12345"
    os.mkfifo(tmp_path / "pipe")
    for path, most in (
        (tmp_path / "a", 4),
        (tmp_path / "pipe", 9),
        (tmp_path / "none", 9),
        (tmp_path, 9),
        ("/dev/zero", 9),
    ):
        with pytest.raises(UserError):
            read_file(tmp_path / path, most)


def test_paths_stay_inside(tmp_path):
    """Names and links that lead out of a folder are refused."""
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    (home / "link").symlink_to(away)
    (home / "loop").symlink_to(home / "loop")
    assert inside(home, "sub/../a") == home / "sub/../a"
    for name in ("../away/x", str(away / "x"), "link/x", "link", "a\0b"):
        with pytest.raises(UserError):
            inside(home, name)


@pytest.fixture
def tree(tmp_path):
    """A folder with a file, and beside it what is not to be had: a file, and links that lead to it."""
    for name in ("own/a.txt", "own/sub/b.txt", "other/c.txt"):
        write_file(tmp_path / name, name)
    (tmp_path / "own" / "link.txt").symlink_to(tmp_path / "other" / "c.txt")
    (tmp_path / "own" / "folder").symlink_to(tmp_path / "other")
    (tmp_path / "own" / "circle").symlink_to("circle")
    return tmp_path


@pytest.mark.parametrize("name", ["a.txt", "sub/b.txt", "sub/../a.txt", "new.txt", "./a.txt"])
def test_reach_finds_what_is_below(tree, name):
    """A file may name what is in its folder and below, and what is not there yet."""
    assert Reach(tree / "own").find(name) == tree / "own" / name


@pytest.mark.parametrize(
    "name", ["../other/c.txt", "../other/none.txt", "/etc/passwd", "link.txt", "folder/c.txt", "sub/../../other/c.txt", ".."]
)  # fmt: skip
def test_reach_ends_at_the_folder(tree, name):
    """Neither `..`, nor an absolute name, nor a link leads out; the error says how to allow it."""
    with pytest.raises(UserError, match=r"lies outside of .*own") as caught:
        Reach(tree / "own").find(name)
    assert "--media-from DIR" in str(caught.value)
    assert Reach(tree / "own", None).find(name)


@pytest.mark.parametrize("name", ["a\0b", "circle"])
def test_names_that_are_none_are_reported(tree, name):
    """A NUL, and a circle of links, are a UserError."""
    with pytest.raises(UserError, match="not the name of a file"):
        Reach(tree / "own").find(name)


def test_a_folder_that_is_allowed_is_searched(tree):
    """What is allowed may be named from the folder, absolutely, by a link, and relative to what is allowed."""
    reach = Reach(tree / "own", (tree / "other",))
    for name in ("../other/c.txt", tree / "other" / "c.txt", "link.txt", "folder/c.txt", "c.txt"):
        assert reach.find(name).resolve() == tree / "other" / "c.txt"
    assert Reach(None, (tree / "other",)).find("c.txt") == tree / "other" / "c.txt"
    with pytest.raises(UserError, match="lies outside"):
        Reach(None).find("a.txt")


def test_a_file_named_by_a_file_sees_both_folders(tree):
    """A base in a folder below may name what the file that extends it may."""
    reach = Reach(tree / "own").below(tree / "own" / "sub")
    assert reach.find("b.txt") == tree / "own" / "sub" / "b.txt"
    assert reach.find("../a.txt").resolve() == tree / "own" / "a.txt"
    with pytest.raises(UserError):
        reach.find("../../other/c.txt")
