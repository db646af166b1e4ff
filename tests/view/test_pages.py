"""What models wrote is shown and does nothing; charts and trees stand where they should."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.render.charts import histogram, tree_of
from synth.render.differences import differences
from synth.render.inert import brief, plain
from synth.render.pages import as_html, page

ACTING = {
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff\u200b",
} - {"\n", "\t"}


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(sorted(ACTING | {"<", ">", "&", '"', "'"}))))
def test_a_text_keeps_its_words_and_loses_what_acts(text: str):
    html = str(as_html(text))
    assert not ACTING & set(html)
    assert not ACTING & set(plain(text))
    assert set(re.findall(r"<[^>]*>", html)) <= {'<span class="sign">', "</span>"}
    kept = [c for c in text if c.isalnum()]
    shown = re.sub(r'<span class="sign">.*?</span>', "", html)
    for name, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#34;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        shown = shown.replace(name, sign)
    assert [c for c in shown if c.isalnum()] == kept


def test_signs_are_named():
    assert as_html("\x1b[2J\u202ex") == '<span class="sign">␛</span>[2J<span class="sign">⟨U+202E⟩</span>x'
    assert as_html("पन\u200dज़ नمی\u200cخواهم") == "पन\u200dज़ नمی\u200cخواهم"  # joiners belong to words


def test_a_long_text_is_cut_with_a_word_on_it():
    assert as_html("a" * 10, 4) == 'aaaa<span class="cut"> … 6 more characters</span>'
    assert brief("one\ntwo  three", 9) == "one two …"
    assert brief("one\ntwo", 9) == "one two"
    assert brief(" " * 50 + "x", 9) == "…"


def test_every_expression_of_a_template_is_inert():
    shown = page(
        "message.html",
        package="synth.view",
        root="",
        name="\x1b<iframe>",
        other="<img>",
        me="\u202e",
        tables=["<style>"],
        what="<script>",
        fix="\x07",
    )
    assert not ACTING & set(shown)
    assert not re.search(r"<(iframe|img|style|script)>", shown)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_a_histogram_counts_everything_once(values: list[float]):
    h = histogram([(v, "kept", 1) for v in values], ("kept", "out"))
    assert sum(sum(b.counts) for b in h.bars) == h.n == len(values)
    assert h.most == max(sum(b.counts) for b in h.bars)
    assert h.bars[0].low == min(values)
    assert h.bars[-1].high == pytest.approx(max(values))


def test_a_value_is_counted_where_it_lies():
    values = [float(v) for v in range(100)]
    h = histogram([(v, "kept", 1) for v in values], ("kept",), bins=20)
    assert [b.counts for b in h.bars] == [(5,)] * 20
    lopsided = histogram([(v * v, "kept", 1) for v in values], ("kept",), bins=20)
    for bar in lopsided.bars:
        inside = sum(bar.low <= v * v < bar.high for v in values)
        assert abs(inside - bar.counts[0]) <= (bar is lopsided.bars[-1])


def test_a_histogram_of_few_values_has_a_bar_for_each():
    h = histogram([(1, "kept", 3), (5, "out", 2), (5, "kept", 1)], ("kept", "out"))
    assert [(b.low, b.counts) for b in h.bars] == [(1, (3, 0)), (5, (1, 2))]
    assert (h.median, h.discrete) == (1, True)


def node(name: str, parent: str | None, **more: object) -> dict[str, object]:
    return {"id": name, "parent": parent, "text": name, **more}


def test_a_tree_is_laid_out_with_each_node_amid_those_below():
    tree = tree_of([node("r", None), node("a", "r"), node("b", "r"), node("c", "b"), node("d", "b")], verbalized=["c"])
    places = {leaf.node["id"]: (leaf.x, leaf.y) for leaf in tree.leaves}
    assert places == {"a": (1, 0), "c": (2, 1), "d": (2, 2), "b": (1, 1.5), "r": (0, 0.75)}
    assert {leaf.node["id"] for leaf in tree.leaves if leaf.verbalized} == {"r", "b", "c"}
    assert [w.node["id"] if w.node else None for w in tree.visits] == [
        "r",
        "a",
        None,
        "b",
        "c",
        None,
        "d",
        None,
        None,
        None,
    ]


def test_a_tree_of_any_depth_or_shape_is_drawn():
    chain = [node(str(i), str(i - 1) if i else None) for i in range(5000)]
    assert tree_of(chain).depth == 4999
    assert len(tree_of([node("a", "a"), node("b", "gone")]).leaves) == 2


@given(st.text(max_size=60), st.text(max_size=60))
def test_sides_are_whole_and_share_what_is_not_marked(left: str, right: str):
    a, b = differences(left, right)
    assert ("".join(p.text for p in a), "".join(p.text for p in b)) == (left, right)
    assert "".join(p.text for p in a if not p.differs) == "".join(p.text for p in b if not p.differs)


def test_the_difference_is_marked():
    a, b = differences("3 + 4 = 7 apples", "3 + 4 = 8 apples")
    assert [p.text for p in a if p.differs] == ["7"]
    assert [p.text for p in b if p.differs] == ["8"]
