"""Numbers, money and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["dollars", "latency", "money", "number", "span", "time_words"]


def number(value: float | None, digits: int = 3) -> str:
    """A number as people read it."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.{digits}g}" if abs(value) < 100 else f"{value:,.0f}"


def dollars(value: float | None) -> str:
    """US dollars, small amounts to a hundredth of a cent; `?` where the price is not known."""
    if value is None:
        return "?"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def latency(value: float | None) -> str:
    """Seconds that a call took."""
    return "–" if value is None else "<0.01" if value < 0.01 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def money(cost: float, unpriced: int) -> str:
    """US dollars as far as they are known, and of how many calls they are not."""
    known = f"{cost:.4f} USD" if cost or not unpriced else ""
    unknown = f"price of {unpriced:,} calls unknown" if unpriced else ""
    return " + ".join(part for part in (known, unknown) if part)


def span(seconds: float) -> str:
    """A span of time in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def time_words(moment: datetime) -> str:
    """A moment to the second, in UTC: `2026-11-29 21:43:03Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
