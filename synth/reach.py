"""Which files a file of somebody else may name: those in its folder, and in folders that the user allows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from synth.errors import UserError

__all__ = ["Reach", "inside", "regular"]


def inside(folder: Path, name: str | Path) -> Path:
    """The path of `name` in `folder`, where neither the name nor a link on the way leads out of that folder.

    Raises:
        UserError: it leads out.
    """
    path = folder / name
    try:
        within = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name; a circle of links
        raise UserError(f"this is not the name of a file: {error}", where=str(name)) from error
    if not within:
        raise UserError("this path leads out of its folder", where=f"{name}, in {folder}")
    return path


@dataclass(frozen=True)
class Reach:
    """Which files a file may name: those in its own folder and below, and those in folders that the user allows.

    The author of the file (a pipeline, a data set) need not be the one who runs it.

    Attributes:
        folder: where relative paths begin; None where the file has no folder, such as a data set of the Hub.
        allowed: further folders, in which relative paths are looked for as well. None: any file, for the user wrote the
            names (in Python, or on the command line).
    """

    folder: Path | None
    allowed: tuple[Path, ...] | None = ()

    def find(self, name: str | Path) -> Path:
        """The path of a file, or of a folder, that is named; it need not be there.

        Raises:
            UserError: it lies elsewhere, by its name or by a link.
        """
        folders = [folder for folder in (self.folder, *(self.allowed or ())) if folder is not None]
        paths = [folder / name for folder in folders] or [Path(name)]
        try:
            path = next((p for p in paths if os.path.lexists(p)), paths[0])
            if self.allowed is None:
                return path
            real = path.resolve()
            if any(real.is_relative_to(folder.resolve()) for folder in folders):
                return path
        except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name; a circle of links
            raise UserError(f"this is not the name of a file: {error}", where=str(name)) from error
        home = "" if self.folder is None else f" of {self.folder.resolve()}"
        linked = f" (it is a link to {real})" if path.is_symlink() else ""
        raise UserError(
            f"this file lies outside{home}{linked}",
            where=str(name),
            fix="copy it there, or allow the folder that it lies in: --media-from DIR",
        )

    def below(self, folder: Path) -> Reach:
        """What a file in another folder may name, which was named by this one: also what this one may."""
        if self.allowed is None or self.folder is None:
            return Reach(folder, self.allowed)
        return Reach(folder, (*self.allowed, self.folder))


def regular(folder: Path, name: str | Path) -> Path:
    """The path of a regular file in `folder`, as for `inside`: one that can be opened without waiting, and that ends.

    Raises:
        UserError: it leads out of the folder, is not there, or is a folder, a pipe or a device.
    """
    path = inside(folder, name)
    if not path.is_file():
        raise UserError("this is not a regular file", where=str(path))
    return path
