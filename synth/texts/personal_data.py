"""Personal data that has a form: addresses of mail and machines, telephone, card, account and social security numbers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["PersonalData", "personal_data"]

# What may stand before an @ is taken as a whole, with or without one: begun at each of its letters it takes quadratic time.
_MAIL = re.compile(r"[\w.+-]++(@(?:[\w-]+\.)+[^\W\d_]{2,})?", re.ASCII)
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)|(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f:]{1,}", re.IGNORECASE
)
_CARD = re.compile(
    r"(?<![\d.$])(?:(?:[3-6]\d{3}|2[2-7]\d{2})(?:[ -]\d{4}[ -]\d{4}[ -]\d{1,7}|[ -]\d{6}[ -]\d{5}|\d{9,15})"
    r"|(?:2131|1800)\d{11}|(?:50(?:18|20|38)|6304|67(?:59|6[1-3]))\d{8})(?!\d|\.\d)"
)
_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_DECIMAL = re.compile(r"[.,]\d")
_ABROAD = re.compile(r"\(?[+\uff0b]\(?\d")
_AREA = re.compile(r"(?<![\d.])\(?0\d{2,4}\)?[ /-]\d{4,9}(?!\d)")
_GROUPS = re.compile(r"\A(?:[^.+\uff0b]*[-( ][^.+\uff0b]*$|(?=[^+\uff0b]*$)[^.]+\.[^+\uff0b]+?\.[^+\uff0b])")
_SOCIAL = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")


class PersonalData(NamedTuple):
    """One find."""

    kind: str
    """`email`, `phone`, `ip_address`, `credit_card`, `iban` or `us_ssn`."""
    start: int
    """Offset in characters."""
    end: int
    """Offset of the first character after it."""


def personal_data(text: str, regions: tuple[str, ...] = ()) -> list[PersonalData]:
    """What looks like personal data and passes the check digits and ranges of its kind, in order; never overlapping.

    Names, postal addresses and anything without a form of its own are not looked for.

    Args:
        text: what is looked at.
        regions: countries (ISO 3166, such as `US`) whose telephone numbers are known without `+` and country code.
    """
    found: list[PersonalData] = []
    for one in sorted((*_by_form(text), *_phones(text, regions)), key=lambda f: (f.start, -f.end)):
        if not found or one.start >= found[-1].end:
            found.append(one)
    return found


def _by_form(text: str) -> Iterator[PersonalData]:
    from stdnum import iban, luhn
    from stdnum.us import ssn

    def found(kind: str, hit: re.Match[str]) -> PersonalData:
        return PersonalData(kind, hit.start(), hit.end())

    yield from (found("email", hit) for hit in _MAIL.finditer(text) if hit[1])
    yield from (found("ip_address", hit) for hit in _ADDRESS.finditer(text) if _is_public(hit[0]))
    yield from (found("credit_card", h) for h in _CARD.finditer(text) if luhn.is_valid(re.sub(r"\D", "", h[0])))
    for hit in _ACCOUNT.finditer(text):
        number = hit[0]
        while number and not iban.is_valid(number):  # a figure that follows may look like one more group
            number = number.rpartition(" ")[0]
        if number:
            yield PersonalData("iban", hit.start(), hit.start() + len(number))
    yield from (found("us_ssn", hit) for hit in _SOCIAL.finditer(text) if ssn.is_valid(hit[0]))


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _phones(text: str, regions: tuple[str, ...]) -> Iterator[PersonalData]:
    from phonenumbers import Leniency

    # With a + and the code of a country, or the code of a place set off, in any groups; else only as that country
    # writes it, for all the rest are numbers.
    if _ABROAD.search(text):
        yield from _matches(text, None, Leniency.VALID, _ABROAD)
    for region in regions:
        if _AREA.search(text):
            yield from _matches(text, region, Leniency.VALID, _AREA)
        yield from _matches(text, region, Leniency.STRICT_GROUPING, _GROUPS)


def _matches(text: str, region: str | None, leniency: int, form: re.Pattern[str]) -> Iterator[PersonalData]:
    from phonenumbers import PhoneNumberMatcher

    for hit in PhoneNumberMatcher(text, region, leniency=leniency):
        if form.match(hit.raw_string) and not _DECIMAL.match(text, hit.end):
            yield PersonalData("phone", hit.start, hit.end)
