"""What is said in `views.sql` of each view and its columns."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from synth.store.columns import TABLES, column_docs
from synth.store.database import VIEWS

__all__ = ["ViewDoc", "view_docs"]

_VIEW = re.compile(r"((?:^--.*\n)+?)^(?:-- )?CREATE VIEW (\w+)", re.MULTILINE)
_COLUMN = re.compile(r"--   (\w+): (.+)")
_LIKE = re.compile(r"; as in (\w+)$")


class ViewDoc(NamedTuple):
    """What is said of a view."""

    meaning: str
    columns: dict[str, str]
    """What its columns hold; of a family of columns by the common name, such as `score_NAME`."""

    def column(self, name: str) -> str:
        """What a column holds; empty where nothing is said of it."""
        return self.columns.get(name) or self.columns.get(f"{name.partition('_')[0]}_NAME", "")


@cache
def view_docs() -> dict[str, ViewDoc]:
    """Of all views, in the order of the file."""
    docs = {}
    for comment, view in _VIEW.findall(VIEWS.read_text(encoding="utf-8")):
        lines = comment.splitlines()
        columns = {m[1]: m[2] for line in lines if (m := _COLUMN.fullmatch(line))}
        meaning = " ".join(line.removeprefix("-- ") for line in lines if not _COLUMN.fullmatch(line))
        like = _LIKE.search(meaning)
        inherited = column_docs(TABLES[like[1]]) if like else {}
        docs[view] = ViewDoc(_LIKE.sub("", meaning), {**inherited, **columns})
    return docs
