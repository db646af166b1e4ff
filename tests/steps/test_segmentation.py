"""Definitions of "step": pure cuts, by rules and by a model."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import assume, example, given
from methods import models
from pydantic import TypeAdapter, ValidationError
from support import Counting, ask, run, sums, write_rows, yaml_file

from synth.errors import UserError
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline
from synth.prompts import places
from synth.records import Problem, Rationale
from synth.steps.segment import Segment
from synth.steps.segment_by_model import SegmentByModel, chunk_starts
from synth.steps.segmentation import Segmenter, cut, name_of, segment, spans
from synth.steps.unit import Unit

DEFINITIONS = [
    "steps",
    "lines",
    "sentences",
    "paragraphs",
    "numbered",
    "code",
    "pieces:1",
    "pieces:7",
    "markers:wait,on second thought,等等",
    r"regex:\d",
    r"regex:(?i)step|\n\n",
    r"regex:\b",
]
PIECES = st.sampled_from(
    [
        "Step 1: ", "**Step 2.** ", "1. ", "2) ", "\n", "\n\n", " \n", "```python\n", "```\n", "~~~\n", "# why\n", "x = (1,\n 2)\n",
        "def f():\n", "  return 1\n", "'''", "Wait, ", "wait", "On second thought ", "等等，", "So it is. ", "Mr. A. Smith! ", "It's 3.5? ", "。",
        "\u2028", "\x1c", "\x85", "\r", "\t", "\ud800", "\0", "\\frac{1}{2} ", "// no\n", "e\u0301", "🧮",
    ]
)  # fmt: skip
TEXTS = st.text(max_size=200) | st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join)


def assert_pure(text: str, where: list[tuple[int, int]]) -> None:
    """Steps are slices without white space at their ends, and only white space stands before, between and after them."""
    edges = [0, *(place for span in where for place in span), len(text)]
    assert edges == sorted(edges)
    for start, end in where:
        step = text[start:end]
        assert step
        assert step == step.strip()
    assert not "".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)).strip()


@pytest.mark.parametrize("by", DEFINITIONS)
@given(text=TEXTS)
@example(text="")
@example(text="one")
@example(text="\n".join(f"{i}. Line {i}." for i in range(500)))
@example(text="1 + 1 = 2. " * 500)
@example(text="Look:\n```python\n# add\nx = (1 +\n\n 2)\n\n# end\n```\nSo it is.\n```\nopen")
def test_every_definition_is_a_pure_cut(by: str, text: str):
    """Whatever the text, no definition changes, moves or drops anything but white space."""
    where = spans(text, by)
    assert_pure(text, where)
    assert bool(where) == bool(text.strip())
    assert segment(text, by) == (tuple(text[a:b] for a, b in where), f"{by}/1")


@pytest.mark.parametrize("by", DEFINITIONS)
@given(text=TEXTS, short=st.integers(0, 30), most=st.none() | st.integers(1, 5), part=st.floats(0, 1))
def test_options_join_steps_and_no_wall_is_crossed(by: str, text: str, short: int, most: int | None, part: float):
    """Joined steps are made of whole ones; none is short or too many, as far as the wall allows."""
    wall = int(len(text) * part)
    where = spans(text, by, merge_short=short, most=most, apart=(wall,))
    assert_pure(text, where)
    assert not any(start < wall < end for start, end in where)
    before, after = ([s for s in where if (s[0] < wall) == left] for left in (True, False))
    for side in (before, after):
        assert len(side) < 2 or all(end - start >= short for start, end in side)
    if most is not None:
        assert len(where) <= max(most, bool(before) + bool(after))
    finest = set(spans(text, by, apart=(wall,)))
    assert {s for s, _ in where} <= {s for s, _ in finest}


@pytest.mark.parametrize(
    ("by", "text", "steps"),
    [
        ("paragraphs", "One.\nTwo.\n \n\nThree.\n", ["One.\nTwo.", "Three."]),
        ("paragraphs", "Code:\n\n```\na\n\nb\n```\n\nEnd.", ["Code:", "```\na\n\nb\n```", "End."]),
        ("paragraphs", "Never closed:\n\n```\na\n\nb", ["Never closed:", "```\na", "b"]),
        ("paragraphs", "```a```\n\nb\n\n```", ["```a```", "b", "```"]),
        ("numbered", "Plan.\nStep 1: Add.\n1. two\nStep 2 - Stop", ["Plan.", "Step 1: Add.\n1. two", "Step 2 - Stop"]),
        ("numbered", "**Step 1:** Add 3. STEP 2: Stop. The step 3: none", ["**Step 1:** Add 3.", "STEP 2: Stop. The step 3: none"]),
        ("numbered", "### Step 1\nAdd.\n### Step 2\nStop.", ["### Step 1\nAdd.", "### Step 2\nStop."]),
        ("numbered", "We see:\n1. Add 1.5\n2.5 is it\n  2) Stop\n3.\n", ["We see:", "1. Add 1.5\n2.5 is it", "2) Stop\n3."]),
        ("numbered", "Step 1 is long. In step 2 we stop.", ["Step 1 is long. In step 2 we stop."]),
        ("pieces:3", "a bb ccc dddd\ne ff g", ["a bb", "ccc dddd", "e ff g"]),
        ("pieces:5", "a b", ["a", "b"]),
        ("markers:wait, However", 'It is 5. wait, no. "However" it waits.\nWaiting.\n*Wait* now', [
            "It is 5.", "wait, no.", '"However" it waits.\nWaiting.', "*Wait* now",
        ]),
        ("markers:on second thought", "So 5. On second thought 6.", ["So 5.", "On second thought 6."]),
        ("markers:等等", "一加一是三。等等不对。", ["一加一是三。", "等等不对。"]),
        ("markers:wait", "We wait. Prof. Wait's e.g. wait", ["We wait. Prof.", "Wait's e.g. wait"]),
        (r"regex:(?i)first|then", "At first, then that.", ["At", "first,", "then that."]),
        (r"regex:\n\n", "a\nb\n\nc", ["a\nb", "c"]),
        ("regex:\n", "a\nb", ["a", "b"]),
        ("code", "# twice\nx = (1 +\n     2)\n\n# and\n\nprint(x)\n# end\n", ["# twice\nx = (1 +\n     2)", "# and\n\nprint(x)\n# end"]),
        ("code", "def f(a):\n    '''Says\n\n    it.'''\n    return a", ["def f(a):", "'''Says\n\n    it.'''", "return a"]),
        ("code", "let x = `a;\n// then\nfoo(x", ["let x = `a;", "// then\nfoo(x"]),
        ("code", "It's so:\n```python\n# hm\na = [1,\n 2]\n```\nDone. Yes.", [
            "It's so:", "```python\n# hm\na = [1,\n 2]\n```", "Done. Yes.",
        ]),
        ("code", "```\n# only\n```", ["```\n# only\n```"]),
        ("code", "# only", ["# only"]),
    ],
)  # fmt: skip
def test_where_each_definition_cuts(by: str, text: str, steps: list[str]):
    """Examples of each definition."""
    assert segment(text, by) == (tuple(steps), f"{by}/1")


@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=60), st.integers(1, 70))
def test_pieces_have_equally_many_words(words: list[str], n: int):
    """N pieces, or as many as there are words; their numbers of words differ by one at most."""
    steps, _ = segment(" ".join(words), f"pieces:{n}")
    counts = [len(step.split()) for step in steps]
    assert len(steps) == min(n, len(words))
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("pattern", ["ab", "(?m)^a", r"\bb", r"a1+", r"(?m)1$", r"\n\n", "^a", r"\z", "a*b|11", r"b\s"])
@given(parts=st.lists(st.sampled_from(["ab", "a", "1", " ", "\n", "b b b", "a" * 80, "11" * 120]), max_size=60))
def test_patterns_match_as_in_the_text_as_a_whole(pattern: str, parts: list[str]):
    """The search goes by blocks, and finds what one search in all of the text finds."""
    text = "".join(parts)
    expected = re.finditer(pattern.replace(r"\z", r"\Z"), text)
    found = [(m.start(), m.end()) for m in expected if m.start() < len(text)]
    assume(all(end - start < 500 for start, end in found))
    assert places(text, pattern) == [start for start, _ in found]


def test_a_pattern_that_is_too_much_work_leaves_the_rest_as_one_step():
    """A reply that repeats itself is cut as far as the work allows, always at the same place, and ends no run."""
    text = "1" * 60_000
    where = spans(text, "regex:(?s)1.*y|1")
    assert_pure(text, where)
    assert where[:2] == [(0, 1), (1, 2)]
    assert 1000 < len(where) < 60_000
    assert where == spans(text, "regex:(?s)1.*y|1")


BAD = {
    "line": "did you mean lines",
    "words": "is no definition of step",
    "lines:3": "takes nothing after it",
    "pieces": "pieces:16",
    "pieces:0": "pieces:16",
    "pieces:1.5": "pieces:16",
    "pieces:1001": "1000",
    "markers:": "markers:wait,however",
    "markers:a,,b": "from 1 to 100 words",
    "markers:" + "a," * 100 + "a": "from 1 to 100 words",
    "regex:": "takes a pattern",
    "regex:(": "missing )",
    "regex:(?=a)b": "no lookaround",
    "regex:a*": "matches an empty text",
    "regex:" + "a" * 3000: "may have 2,000",
}


@pytest.mark.parametrize("by", BAD)
@pytest.mark.parametrize("step", ["{step: segment, into: %s}", "{step: generate, segment: %s}"])
def test_bad_definitions_are_refused_when_the_pipeline_is_read(tmp_path: Path, by: str, step: str):
    """The message names the line and says what a definition is; nothing has been asked."""
    path = yaml_file(tmp_path / "p.yaml", f"pipeline: my/p\nsteps:\n  - {step % json.dumps(by)}\n")
    with pytest.raises(UserError) as raised:
        load_pipeline(str(path))
    assert BAD[by] in str(raised.value)
    assert "p.yaml:3" in str(raised.value)


def test_the_schema_of_a_definition():
    """Editors accept what the loader accepts, and refuse what is wrong by its form."""
    adapter = TypeAdapter(Segmenter)
    schema = adapter.json_schema()
    for by in [*DEFINITIONS, "regex:\n"]:
        assert adapter.validate_python(by) == by
        jsonschema.validate(by, schema)
    for by in ["line", "lines:3", "pieces", "pieces:0", "pieces:x", "markers:", "markers:a,,b", "regex:", 3]:
        with pytest.raises(ValidationError):
            adapter.validate_python(by)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(by, schema)


def rationale(text: str, problem: Problem | None = None, **fields) -> Rationale:
    problem = problem or Problem.root(question="How many?", answer="5")
    return Rationale.make(
        unit=problem.unit, step="write", because=text, problem=problem.id, author="teacher", response=text, **fields
    )


@given(
    st.lists(PIECES, max_size=9).map("".join), st.lists(PIECES, max_size=9).map("".join), st.sampled_from(DEFINITIONS)
)
def test_no_step_reaches_over_the_statement_of_the_answer(before: str, after: str, by: str):
    """Steps of both sides are slices of the response, whose places are known."""
    before, after = (side.replace("\ud800", "") for side in (before, after))  # records are UTF-8
    head = f"{before}\n"
    response = f"{head}The answer is 5.\n{after}"
    span = (len(head), len(head) + len("The answer is 5."))
    steps, segmenter = cut(None, response, span, by)
    found = rationale(response, steps=steps, segmenter=segmenter, answer_span=span).step_spans
    assert found is not None
    assert [response[a:b] for a, b in found] == list(steps)
    assert not any(a < span[1] and b > span[0] for a, b in found)


async def recut(old: Rationale, **options) -> Rationale | None:
    """What `segment` makes of a rationale; None where it leaves it alone."""
    unit = Unit(Problem.root(question="How many?", answer="5"), None, {})  # type: ignore[arg-type]
    unit.add([old])
    made = list(await Segment(name="cut", **options).run([old], unit))
    return made[0] if made else None


async def test_names_tell_cuts_apart():
    """Definition, argument, version and options stand in the name; other options are another record."""
    options = [
        {"into": "lines"}, {"into": "pieces:2"}, {"into": "pieces:3"}, {"into": "regex:a"}, {"into": "regex:a/1 most=3"},
        {"into": "regex:a", "most": 3}, {"into": "lines", "most": 3}, {"into": "lines", "merge_short": 3},
        {"into": "lines", "merge_short": 3, "most": 3},
    ]  # fmt: skip
    made = [await recut(rationale("a b.\nc d.\ne f."), **each) for each in options]
    assert len({m.segmenter for m in made}) == len({m.id for m in made}) == len(options)
    assert made[-1].segmenter == "lines/1 merge_short=3 most=3" == name_of("lines", merge_short=3, most=3)


async def test_segment_joins_short_steps_and_the_rest():
    """500 lines become what the options say."""
    text = "\n".join(f"Line {i}." for i in range(500))
    made = await recut(rationale(text), into="lines", most=7)
    assert made.steps == (*text.split("\n")[:6], "\n".join(text.split("\n")[6:]))
    made = await recut(rationale("a\nb\nlonger\nc\nlonger yet\nd"), into="lines", merge_short=3)
    assert made.steps == ("a\nb", "longer", "c\nlonger yet\nd")


@pytest.mark.parametrize(
    ("into", "steps", "given"),
    [
        ("pieces:1", ("One. Two.\nThree.", "Four.\nFive."), 1),
        ("sentences", ("One.", "Two.", "Three.", "Four.", "Five."), 3),
        ("paragraphs", ("One. Two.\nThree.", "Four.\nFive."), 1),
    ],
)
async def test_what_was_given_stays_so(into: str, steps: tuple[str, ...], given: int):
    """A rationale that continues another has as many given steps as its new cut makes of the given text."""
    old = rationale(
        " One. Two.\nThree.\nFour.\nFive.",
        steps=("One. Two.", "Three.", "Four.", "Five."),
        segmenter="lines/1",
        given=2,
    )
    made = await recut(old, into=into)
    assert (made.steps, made.given) == (steps, given)
    thought = {"thought": "One. Two.\nThree.", "steps": ("One. Two.", "Three."), "segmenter": "thought lines/1"}
    in_thought = await recut(rationale("5", **thought, given=1), into="sentences", part="thought")
    assert (in_thought.steps, in_thought.given) == (("One.", "Two.", "Three."), 2)
    span = (7, 23)
    after = rationale(" One.\n The answer is 5.\nTwo. Three.\nFour. ", steps=("One.", "Two. Three.", "Four."),
                      segmenter="lines/1", answer_span=span, given=2)  # fmt: skip
    made = await recut(after, into="sentences")
    assert (made.steps, made.given) == (("One.", "Two.", "Three.", "Four."), 3)
    assert await recut(rationale("One. Two.", steps=("other", "words"), segmenter="given/1", given=1)) is None


@given(TEXTS, st.lists(st.integers(0, 200), max_size=5), st.data())
def test_chunks_are_the_text_or_are_refused(text: str, at: list[int], data: st.DataObject):
    """Any cut of the text is found again; a copy in which one character is changed, lost or added is refused."""
    edges = sorted({0, len(text), *(min(a, len(text)) for a in at)})
    chunks = [text[a:b] for a, b in pairwise(edges)]
    assume(text.strip())
    starts = chunk_starts(text, chunks)
    assert [text[a:b].split() for a, b in pairwise([*starts, len(text)])] == [c.split() for c in chunks]
    where = data.draw(st.sampled_from([i for i, sign in enumerate(text) if not sign.isspace()]))
    for copy in (
        text[:where] + text[where + 1 :],
        text[:where] + "�" + text[where + 1 :],
        text[:where] + "�" + text[where:],
    ):
        with pytest.raises(ValueError, match=r"no chunk|the chunks are not the text: at character"):
            chunk_starts(text, [copy])


def test_the_message_names_where_a_copy_differs():
    """The place in the text, and what stands there in both."""
    for chunks, said in (
        (["One plus", "one is too."], "at character 17 the text has 'wo.', and chunk 2 has 'oo.'"),
        (["One plus"], "at character 9 the text has 'one is two.', and the copy has its end"),
        (["One plus one is two.", "So."], "at character 20 the text has its end, and chunk 2 has 'So.'"),
    ):
        with pytest.raises(ValueError) as raised:
            chunk_starts("One plus one is two.", chunks)
        assert said in str(raised.value)
    with pytest.raises(ValueError, match="no chunk"):
        chunk_starts("One", [])


BY_MODEL = """
pipeline: my/p
roles: {{teacher: writes, cutter: cuts}}
steps:
  - {{step: reference}}
  - {{step: segment_by_model, by: cutter{options}}}
"""
SOLUTIONS = ["We add. It is 3.\nWe check. Yes.", "Only one sentence", "First. Second.", "Add. Stop."]


async def by_model(tmp_path: Path, reply, options: str = "", capabilities=("chat", "json_schema")) -> Counting:
    """Runs the four solutions past a model; gives what it was asked."""
    rows = [{"question": f"q{i}?", "answer": "3", "reference_solution": s} for i, s in enumerate(SOLUTIONS)]
    counting = Counting()

    def script(request, rng):
        counting.asked.append(request)
        return reply(request)

    model = ScriptedModel(script, capabilities=frozenset(capabilities))
    path = yaml_file(tmp_path / "p.yaml", BY_MODEL.format(options=options))
    await run(path, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", model)
    return counting


def starts(*numbers: int) -> str:
    """The reply with chunks that begin so."""
    return json.dumps({"chunks": [{"purpose": "p", "first_line": n} for n in numbers]})


def kept(folder: Path) -> dict[str, tuple[list[str], str]]:
    return {
        text: (steps, name)
        for text, steps, name in ask(folder, "SELECT response, steps, segmenter FROM kept_rationales")
    }


async def test_a_model_names_the_sentences_with_which_chunks_begin(tmp_path: Path):
    """One call for each text of several sentences; a text of one is not asked about. The chunks are slices, whatever the numbers."""
    counting = await by_model(tmp_path, lambda r: starts(2, 1, 1))
    assert len(counting.asked) == 3
    assert "1. We add.\n2. It is 3.\n3. We check.\n4. Yes." in counting.asked[0].messages[-1]["content"]
    found = kept(tmp_path / "run")
    assert found["We add. It is 3.\nWe check. Yes."][0] == ["We add.", "It is 3.\nWe check. Yes."]
    assert re.fullmatch(r"process/segment/1#\w+ numbers of sentences/1 by scripted", found["First. Second."][1])
    assert found["Only one sentence"] == (["Only one sentence"], "sentences/1")
    replaced = ask(tmp_path / "run", "SELECT rule, count(*) FROM rejections GROUP BY 1")
    assert (replaced, ask(tmp_path / "run", "SELECT * FROM failures")) == ([("superseded", 4)], [])


async def test_models_without_schemas_write_a_line(tmp_path: Path):
    """One for each chunk, in whatever marks."""
    await by_model(tmp_path, lambda r: "Well:\n**1**: adds 2 and 1\n- Line 2: stops.", capabilities=("chat",))
    assert kept(tmp_path / "run")["Add. Stop."][0] == ["Add.", "Stop."]


async def test_a_number_that_there_is_not_is_asked_about_once_more(tmp_path: Path):
    """After that it is a failure, and the rationale keeps its old steps."""
    counting = await by_model(tmp_path, lambda r: starts(1, 3))
    assert len(counting.asked) == 1 + 2 * 2  # the first text has four sentences
    assert kept(tmp_path / "run")["Add. Stop."] == (["Add.", "Stop."], "steps/1")
    assert ask(tmp_path / "run", "SELECT cause, count(*) FROM failures GROUP BY 1") == [("shape", 2)]


async def test_a_copy_in_chunks_is_held_to_the_text(tmp_path: Path):
    """The exact copy is the new cut; the one with a word too few is a failure that says where, and changes nothing."""

    def copied(request) -> str:
        text = request.task.hint
        assert text in request.messages[-1]["content"]
        if text == "Add. Stop.":
            return "Sure!\n<chunk>Add.</chunk><chunk>Shop.</chunk>"
        return "<chunk>" + text[:5] + "</chunk>\n<chunk>\n" + text[5:] + "</chunk>"

    counting = await by_model(tmp_path, copied, ", reply: chunks")
    assert len(counting.asked) == 3
    found = kept(tmp_path / "run")
    assert found["First. Second."][0] == ["First", ". Second."]
    assert found["First. Second."][1].endswith(" chunks by scripted")
    assert found["Add. Stop."] == (["Add.", "Stop."], "steps/1")
    ((cause, message, raw),) = ask(tmp_path / "run", "SELECT cause, message, raw FROM failures")
    assert (cause, raw) == ("shape", "Sure!\n<chunk>Add.</chunk><chunk>Shop.</chunk>")
    assert "at character 6 the text has 'top.', and chunk 2 has 'hop.'" in message


@pytest.mark.parametrize("reply", ["numbers", "chunks"])
async def test_the_scripted_model_cuts(tmp_path: Path, reply: str):
    """Without a script of its own it gives cuts that pass, of thoughts too."""
    path = yaml_file(
        tmp_path / "p.yaml",
        f"""
        pipeline: my/p
        steps:
          - {{step: generate}}
          - {{step: segment_by_model, part: thought, reply: {reply}, units: lines}}
        """,
    )
    await run(path, sums(tmp_path / "in.jsonl", 6), tmp_path / "run", ScriptedModel(World(thinks=1)))
    assert ask(tmp_path / "run", "SELECT count(*) FROM failures") == [(0,)]
    rows = ask(tmp_path / "run", "SELECT steps, segmenter, thought FROM kept_rationales")
    assert len(rows) == 6
    for steps, segmenter, thought in rows:
        assert segmenter.startswith("thought process/segment/1#")
        assert "".join("".join(steps).split()) == "".join(thought.split())


def test_two_models_cannot_cut():
    """Refused before anything is asked: a rationale has one list of steps."""
    step = SegmentByModel(name="s", by="cutter")
    ((option, what, _),) = step.problems_with({"cutter": models(a=World(), b=World())}, ())
    assert (option, what) == ("by", "a and b would cut each rationale, and it can have one list of steps")
    assert not list(step.problems_with({"cutter": models(a=World())}, ()))


async def test_the_model_that_cuts_does_not_see_the_answer(tmp_path: Path):
    """A prompt that shows it is refused before anything is asked."""
    (tmp_path / "mine.j2").write_text(
        "{#- version: 1\n    purpose: test\n-#}\n{% call user() %}{{ problem.answer }}{{ text }}{{ units }}{% endcall %}"
    )
    path = yaml_file(tmp_path / "p.yaml", BY_MODEL.format(options=", prompt: mine.j2"))
    with pytest.raises(UserError, match="answer"):
        load_pipeline(str(path))
