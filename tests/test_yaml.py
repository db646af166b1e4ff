"""YAML of others is read within bounds, and means what PyYAML says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support import synth

from synth.errors import InputError, PipelineError, SetupError, UserError
from synth.models import load_profile
from synth.pipeline import load_pipeline
from synth.sources import load_mapping
from synth.yaml_text import MOST_BYTES, MOST_DEPTH, MOST_VALUES, NotYaml, load_yaml, parse_yaml, read_yaml

BOMB = "\n".join(
    ["a0: &a0 [x,x,x,x,x,x,x,x,x]", *(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 8))]
)
HOSTILE = {
    "aliases of aliases": (BOMB, "10,000 values"),
    "merged aliases": (
        "a0: &a0 {x: 1}\n" + "\n".join(f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 8)),
        "10,000 values",
    ),
    "a long text again and again": (f"a: &a {'x' * 9000}\nb: [{'*a, ' * 500}]", "262,144 letters"),
    "a deep chain of aliases": ("- &a0 [x]\n" + "\n".join(f"- &a{i} [*a{i - 1}]" for i in range(1, 60)), "50 deep"),
    "a circle": ("a: &a [*a]", "circle"),
    "a circle of mappings": ("a: &a {b: {c: *a}}", "circle"),
    "brackets": ("a: " + "[" * 3000 + "]" * 3000, "50 deep"),
    "braces": ("{" * 100_000, "50 deep"),
    "dashes": ("- " * 50_000, "50 deep"),
    "question marks": ("? " * 3000, "50 deep"),
    "values": ("[" + "x," * 20_000 + "]", "10,000 values"),
    "bytes": ("#" * (MOST_BYTES + 1), "262,144 bytes"),
    "NUL": ("a: b\nc: \0", "line 2: there is a control character (#x00)"),
    "no end": ("a: [", "line 1"),
    "two documents": ("--- 1\n--- 2", "another document"),
    "an unknown alias": ("a: *b", "undefined alias"),
    "an object of Python": ("a: !!python/object/apply:os.system [true]", "!!python/object/apply:os.system is not read"),
    "an object of Python as a mapping": ("a: !!python/object:os.Popen {}", "is not read"),
    "a set": ("a: !!set {b, c}", "!!set is not read"),
    "bytes in base64": ("a: !!binary aGk=", "!!binary is not read"),
    "a number that is too long": ("a: " + "9" * 5000, "more than 400 digits"),
    "minutes of minutes": ("a: 1" + ":1" * 50_000, "more than 400 digits"),
    "no date": ("a: 2024-13-45", "is no timestamp"),
    "a tag that does not fit": ("a: !!timestamp b", "is no timestamp"),
    "a key that is given twice": ("a: 1\nb: 2\na: 3", "line 3: 'a' is given twice"),
    "a list as a key": ("[a, b]: 1", "seq cannot be a key"),
    "a merge of a text": ("<<: a", "'<<' takes a mapping"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_is_refused(name: str):
    """Whatever is beyond the bounds is a NotYaml that says why."""
    text, said = HOSTILE[name]
    with pytest.raises(NotYaml) as caught:
        read_yaml(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_every_reader_refuses(name: str, tmp_path: Path):
    """Pipelines, profiles and mappings say the same with the file, and no reader has a parser of its own."""
    path = tmp_path / "a.yaml"
    path.write_text(HOSTILE[name][0])
    for read, error in ((load_pipeline, PipelineError), (load_profile, SetupError), (load_mapping, InputError)):
        given = path if read is load_profile else str(path)
        with pytest.raises((error, UserError)) as caught:
            read(given)  # type: ignore[operator]
        assert "a.yaml" in str(caught.value)


def test_commands_say_where(tmp_path: Path):
    """A hostile file, or a hostile value on the command line, ends a command with the line and no traceback."""
    (tmp_path / "p.yaml").write_text("pipeline: e/x\n" + BOMB)
    assert "p.yaml:6: this is not YAML" in synth("plan", "p.yaml", cwd=tmp_path, check=2).stderr
    (tmp_path / "run").mkdir()
    told = synth("curate", tmp_path / "run", "split", "--set", "shares=&a [*a]", check=2).stderr
    assert "the value is not YAML: *a stands within &a" in told


def test_only_a_file_of_text_is_read(tmp_path: Path):
    """Latin-1 is told with its line; a pipe is not opened; a byte order mark is none of the content."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: b\nc: \xe9")
    with pytest.raises(NotYaml, match="line 2: this is not UTF-8"):
        load_yaml(path)
    path.write_bytes(b"\xef\xbb\xbfa: b")
    assert load_yaml(path) == {"a": "b"}
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(UserError, match="larger than"):
        load_yaml(path)


def test_merges_are_those_of_yaml():
    """`<<` takes over what a mapping does not give itself; of a list the first goes before."""
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\none: {<<: *x, a: 9}\nboth: {c: 9, <<: [*y, *x]}"
    assert read_yaml(text) == yaml.safe_load(text)
    assert read_yaml(text)["both"] == {"a": 1, "b": 2, "c": 9}
    assert read_yaml("a: [yes, no, on, off, true]") == {"a": ["yes", "no", "on", "off", True]}


def test_lines_are_those_of_the_text():
    """Every value knows its line, in a merged mapping too."""
    lines = parse_yaml("a: &a\n  b: 1\nc:\n  <<: *a\n  d:\n    - e\n").lines
    assert (lines["c",], lines["c", "b"], lines["c", "d"], lines["c", "d", 0]) == (3, 2, 5, 6)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.dates()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        | inner.map(lambda shared: [shared, {"again": shared}])
    ),  # PyYAML writes an alias
    max_leaves=30,
)


@given(values)
def test_honest_documents_mean_what_pyyaml_says(value):
    """What PyYAML writes of any value is read as PyYAML reads it."""
    text = yaml.safe_dump(value, allow_unicode=True)
    assert read_yaml(text) == yaml.safe_load(text)
    assert read_yaml(text.encode()) == yaml.safe_load(text.encode())
    assert (
        read_yaml(yaml.safe_dump(value)) == value
    )  # all in ASCII: else PyYAML writes some line breaks as it cannot read them


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 70))
def test_what_is_built_is_bounded(width: int, levels: int, depth: int):
    """A document of aliases is built where what it expands to is within the bounds, and refused where it is not."""
    lines = [f"- &a0 {'[' * depth}x{']' * depth}"]
    lines += [f"- &a{i} [{','.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    sizes = [1 + depth]
    for _ in range(1, levels):
        sizes.append(1 + width * sizes[-1])
    expanded, deepest = 1 + sum(sizes), depth + levels
    try:
        value = read_yaml("\n".join(lines))
    except NotYaml:
        assert expanded > MOST_VALUES or deepest > MOST_DEPTH
    else:
        assert expanded <= MOST_VALUES
        assert deepest <= MOST_DEPTH
        assert _count(value) == expanded


def _count(value: object) -> int:
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1
