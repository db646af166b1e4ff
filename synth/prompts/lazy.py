"""Variables that are made when somebody asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Lazy"]


class Lazy(dict[str, Any]):
    """A mapping of names to data that expressions go through by name: `siblings`, `score`…

    It counts as one step of work, like a record: what is in it is counted when it is asked for. It cannot be gone through: what has
    been asked for so far is nobody's business.
    """

    def make(self, name: str) -> Any:
        """The value of a name, made once.

        Raises:
            KeyError: there is no such name.
        """
        raise KeyError(name)

    def __missing__(self, name: str) -> Any:
        self[name] = value = self.make(name)
        return value

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        try:
            self[name]  # type: ignore[index]
        except KeyError:
            return False
        return True

    def beside(self, more: Mapping[str, Any]) -> Lazy:
        """These variables with others, which go before them."""
        return _Both(self, more) if more else self

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name; `default` where there is none."""
        try:
            return self[name]
        except KeyError:
            return default


class _Both(Lazy):
    def __init__(self, below: Lazy, above: Mapping[str, Any]) -> None:
        super().__init__(above)
        self._below = below

    def make(self, name: str) -> Any:
        return self._below[name]
