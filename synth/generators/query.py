"""The options in the name of an input: `NAME?option=value&…`."""

from __future__ import annotations

from urllib.parse import parse_qsl

from synth.errors import InputError

__all__ = ["name_and_options"]


def name_and_options(name: str, where: str) -> tuple[str, dict[str, str]]:
    """What stands before the question mark, and the options behind it, decoded as in a URL.

    Args:
        name: such as `chain_sum?size=20&seed=3`.
        where: how the input is called in errors.

    Raises:
        InputError: what stands behind it are no options, or one is given twice.
    """
    what, _, query = name.partition("?")
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query), keep_blank_values=True)
    except ValueError as error:
        raise InputError(
            f"{query!r} are no options",
            where=where,
            fix="write NAME?option=value&option=value, in quotation marks in a shell",
        ) from error
    options: dict[str, str] = {}
    for key, value in pairs:
        if key in options:
            raise InputError(f"the option {key} is given twice", where=where, fix="give it once")
        options[key] = value
    return what, options
