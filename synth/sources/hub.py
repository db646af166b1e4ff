"""Rows of data sets of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Iterator

from synth.approvals import refuse_unapproved, sent_to_hub
from synth.errors import InputError
from synth.generators.query import name_and_options
from synth.nesting import TOO_DEEP, too_deep
from synth.sources.files import Row

__all__ = ["hub_rows"]

_OPTIONS = ("config", "split", "revision")


def hub_rows(name: str) -> Iterator[Row]:
    """The rows of `OWNER/NAME?split=train&config=main&revision=…`, or of a folder that `datasets` can load.

    It is fetched once and read from the cache of `datasets` afterwards; no code of the data set is run.

    Raises:
        InputError: there is no such data set, config or split.
        SetupError: the token would go to a host that is not approved.
    """
    refuse_unapproved(sent_to_hub())
    from datasets import Dataset, load_dataset

    where, options = name_and_options(name, f"hub:{name}")
    for option in options:
        if option not in _OPTIONS:
            raise InputError(f"unknown option {option!r}", where=f"hub:{name}", fix=f"options: {', '.join(_OPTIONS)}")
    try:
        data = load_dataset(
            where, options.get("config"), split=options.get("split", "train"), revision=options.get("revision")
        )
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"the data set cannot be loaded: {first}",
            where=f"hub:{name}",
            fix="hub:OWNER/NAME?split=train&config=NAME; for a gated one log in: hf auth login",
        ) from error
    assert isinstance(data, Dataset)
    number = 0
    try:
        for number, row in enumerate(data, 1):
            yield number, TOO_DEEP if too_deep(row) else dict(row)
    except Exception as error:  # of the library that decodes it
        what = f"the data set cannot be read after row {number:,}: {error}"
        raise InputError(what, where=f"hub:{name}", fix="look at it with the library datasets") from error
