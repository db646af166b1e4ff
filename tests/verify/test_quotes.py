"""Quotations are looked up in the text they are from."""

from __future__ import annotations

import pytest

from synth.verify import find_quote, quotes_in


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("water turns into vapour", True), ("Water  turns\ninto VAPOUR.", True), ("“water turns”", True), ("it’s hot", True),
        ("water … vapour", True), ("vapour ... water", False), ("water turn", False), ("ice", False), ("", False), ("...", False),
    ],
)  # fmt: skip
def test_quotations_are_looked_up_word_for_word(quote: str, found: bool):
    assert find_quote(quote, "The water turns into vapour when it's hot; no slice of it stays.") is found


def test_quotations_in_a_text():
    assert quotes_in('He says "a b", then “c” and it\'s 5" long') == ["a b", "c"]
