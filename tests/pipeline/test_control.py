"""Disabled steps, conditions on the problem, blocks, repetitions and changes of a base: what is expanded, and what is found."""

from __future__ import annotations

import textwrap
from pathlib import Path

import hypothesis.strategies as st
import jsonschema
import pytest
import yaml
from hypothesis import given
from support import yaml_file

from synth.pipeline import Pipeline, load_pipeline, read_pipeline
from synth.pipeline.blocks import MOST_DEPTH
from synth.pipeline.items import MOST_STEPS
from synth.pipeline.schemas import all_schemas

HEAD = "pipeline: my/p\nroles: {teacher: writes, critic: explains}\nsteps:\n"
SOLVE = "  - {step: generate, name: solve}\n"


def found_in(folder: Path, text: str, **blocks: str) -> list[tuple[str, int, str, str]]:
    """The findings of a pipeline: file, line, what and fix; `blocks` are files beside it, by name."""
    for name, content in blocks.items():
        (folder / f"{name}.yaml").write_text(textwrap.dedent(content).lstrip("\n"))
    draft = read_pipeline(str(yaml_file(folder / "p.yaml", text)))
    assert (draft.pipeline is None) == bool(draft.findings)
    return [(Path(f.file).name, f.line, f.what, f.fix) for f in draft.findings]


def names(pipeline: Pipeline) -> list[str]:
    return [step.name for step in pipeline.steps]


# enabled, when


@pytest.mark.parametrize(
    ("steps", "line", "what", "fix"),
    [
        (
            "  - {step: generate, name: x, enabled: false, sampels: 2}\n",
            4,
            "step x: unknown option 'sampels'",
            "'samples'",
        ),
        (
            "  - {step: generate, name: x, enabled: false, by: techer}\n",
            4,
            "the pipeline has no role 'techer'",
            "'teacher'",
        ),
        (
            "  - {step: generate, name: x, enabled: perhaps}\n",
            4,
            "step x: enabled: ",
            "synth pipelines --step generate",
        ),
        (
            SOLVE + "  - {step: generate, name: x, enabled: false}\n  - {step: verify_answer, of: x}\n",
            6,
            "step verify_answer: it works on what the step 'x' makes, which is disabled (enabled: false)",
            "enable x, disable this step too",
        ),
        (
            SOLVE + "  - {step: verify_answer, enabled: false}\n  - {step: filter, keep: score.correct}\n",
            6,
            "the score 'correct' is made by the step 'verify_answer', which is disabled",
            "enable verify_answer, or disable this step too",
        ),
        (
            "  - {step: generate, enabled: false}\n  - {step: verify_answer}\n",
            5,
            "step verify_answer: it works on a rationale, and no earlier step makes one",
            "or enable one: generate",
        ),
        (SOLVE + "  - {step: verify_answer, name: solve, enabled: false}\n", 5, "the name 'solve' is taken", "name: …"),
        ("  - {step: generate, enabled: false}\n", 1, "every step of the pipeline is disabled", "enable one"),
        ("  - {step: generate, enabled: false, where: problem.colour}\n", 4, "problem has no 'colour'", "did you mean"),
    ],
)
def test_disabled_steps_are_checked(tmp_path: Path, steps: str, line: int, what: str, fix: str):
    """What is disabled is checked as if it were there, and nothing that is enabled may depend on it."""
    last = "" if "every step" in what else "  - {step: generate, name: last}\n"
    ((_, at, said, todo),) = found_in(tmp_path, HEAD + steps + last)
    assert at == line
    assert what in said
    assert fix in todo


def test_disabled_steps_may_depend_on_each_other(tmp_path: Path):
    steps = "  - {step: verify_answer, enabled: false}\n  - {step: filter, keep: score.correct, enabled: false}\n"
    assert found_in(tmp_path, HEAD + SOLVE + steps) == []
    assert names(load_pipeline(str(tmp_path / "p.yaml"))) == ["solve"]


@pytest.mark.parametrize(
    ("when", "what", "fix"),
    [
        ("problm.answer", "unknown name 'problm'", "did you mean 'problem'?"),
        ("record.id", "unknown name 'record'", "where: is about each record"),
        ("rationale.text", "unknown name 'rationale'", "where: is about each record"),
        ("problem.colour", "problem has no 'colour'", "did you mean"),
        ("unit.rationale", "unit has no 'rationale'", "did you mean 'rationales'?"),
        ("score.pas_rate > 0", "no earlier step makes the score 'pas_rate'", "did you mean 'pass_rate'?"),
        (
            "score.correct",
            "the score 'correct' is of a rationale, and this condition is about the problem",
            "pass_rate",
        ),
        ("label.correct == 'wrong'", "the score 'correct' is of a rationale", "unit.rationales"),
        ("score.pass_rate >", "does not compile", "fix it; it is Jinja2"),
        ("", "does not compile", "fix it; it is Jinja2"),
    ],
)
@pytest.mark.parametrize("option", ["when", "unless", "until"])
def test_conditions_on_the_problem_are_checked(tmp_path: Path, option: str, when: str, what: str, fix: str):
    """They see the problem, its own scores, and the kept records; a score of a rationale would never be there."""
    steps = SOLVE + "  - {step: verify_answer}\n  - {step: pass_rate}\n"
    if option == "until":
        steps += (
            f"  - repeat:\n      at_most: 3\n      steps: [{{step: generate, by: critic}}]\n      until: {when!r}\n"
        )
    else:
        steps += f"  - step: generate\n    by: critic\n    name: again\n    {option}: {when!r}\n"
    ((_, line, said, todo),) = found_in(tmp_path, HEAD + steps)
    assert line == 10
    assert what in said
    assert fix in todo


def test_a_condition_sees_the_scores_that_the_input_brings(tmp_path: Path):
    text = "pipeline: my/p\nimports: [rationale, score.hard]\nsteps:\n  - {step: generate, when: score.hard > 1}\n"
    assert found_in(tmp_path, text) == []


# use

BLOCK = """
    with: {samples: 1}
    steps:
      - {step: generate, name: solve, by: "${role}", samples: "${samples}"}
      - step: verify_answer
        name: check
        of: solve
"""


@pytest.mark.parametrize(
    ("use", "line", "what", "fix"),
    [
        ("  - {use: none.yaml}\n", 4, "there is no block none.yaml", "beside the file"),
        ("  - {use: ../block.yaml}\n", 4, "../block.yaml: this file lies outside", "--media-from DIR"),
        ("  - {use: block}\n", 4, "use does not name a file", "ends in .yaml"),
        ("  - {use: 3}\n", 4, "use does not name a file", "ends in .yaml"),
        ("  - {use: block.yaml, step: generate, with: {role: teacher}}\n", 4, "unknown key 'step'", "'use'"),
        ("  - use: block.yaml\n    with: [role]\n", 5, "with is not a mapping", "with: {PARAMETER: VALUE}"),
        (
            "  - use: block.yaml\n    with:\n      rol: teacher\n      role: teacher\n",
            6,
            "has no parameter 'rol'",
            "'role'",
        ),
        (
            "  - use: block.yaml\n    with:\n      role: {a: b}\n",
            6,
            "the parameter 'role' is neither a text",
            "write such",
        ),
        (
            "  - use: block.yaml\n    with:\n      Role: x\n      role: teacher\n",
            6,
            "'Role' is not the name of a param",
            "a-z",
        ),
        (
            "  - use: block.yaml\n    name: [a]\n    with: {role: teacher}\n",
            5,
            "the name of a block is not a text",
            "PREFIX",
        ),
        (
            "  - use: block.yaml\n    with:\n      role: techer\n",
            6,
            "step solve: the pipeline has no role 'techer'",
            "'teacher'",
        ),
        (
            "  - use: block.yaml\n    with:\n      role: teacher\n      samples: many\n",
            7,
            "step solve: samples: Input should be a valid integer",
            "synth pipelines --step generate",
        ),
        (
            "  - {use: block.yaml, with: {role: teacher}}\n" * 2,
            3,
            "step solve: the name 'solve' is taken",
            "give one a name: name: …; each use of a step has a name of its own",
        ),
    ],
)
def test_mistakes_where_a_block_is_used(tmp_path: Path, use: str, line: int, what: str, fix: str):
    """They are in the pipeline file; also those in the value of a parameter."""
    found = found_in(tmp_path, HEAD + use, block=BLOCK)
    assert any(at == line and what in said and fix in todo for _, at, said, todo in found), found
    if "taken" not in what:
        assert {name for name, at, said, _ in found if "has no value" not in said and "no role '${" not in said} == {
            "p.yaml"
        }


@pytest.mark.parametrize(
    ("block", "line", "what"),
    [
        ("steps: [", 1, "this is not YAML"),
        ("- step: generate\n", 1, "the file holds no block"),
        ("steps: []\n", 1, "the block has no steps"),
        ("with: {a: 1}\n", 1, "the block has no steps"),
        ("steps: generate\n", 1, "steps is not a list of steps"),
        ("pipeline: my/q\nsteps: [{step: generate}]\n", 1, "unknown key 'pipeline'"),
        ("steps:\n  - step: generate\n    sampels: 3\n", 3, "step a_generate: unknown option 'sampels'"),
        ("steps:\n  - step: generate\n    by: ${who}\n", 3, "the parameter 'who' has no value"),
        (
            "steps:\n  - {step: generate}\n  - step: verify_answer\n    of: generat\n",
            4,
            "there is no earlier step 'generat'",
        ),
        ("with: {l: [a, b]}\nsteps:\n  - step: generate\n    by: x ${l}\n", 4, "the parameter 'l' is a list"),
        ('with: {l: [a, b]}\nsteps:\n  - step: generate\n    by: ["${l}"]\n', 4, "the parameter 'l' is a list"),
        ("steps:\n  - step: generate\n  - use: block.yaml\n", 3, "the block block.yaml uses itself"),
        ("steps:\n  - use: other.yaml\n", 1, "the block block.yaml uses itself"),
    ],
)
def test_mistakes_in_a_block(tmp_path: Path, block: str, line: int, what: str):
    """They are in the file of the block; a block that is used twice has each once."""
    other = "steps: [{use: block.yaml}]\n"
    found = found_in(tmp_path, HEAD + "  - {use: block.yaml, name: a}\n", block=block, other=other)
    ((name, at, _, fix),) = [f for f in found if what in f[2]]
    assert (name, at) == ("other.yaml" if "other" in block else "block.yaml", line), found
    assert fix


def test_blocks_within_blocks(tmp_path: Path):
    """Names are prefixed level by level; what a parameter names is a step of whoever uses the block."""
    inner = """
        with: {keep: score.correct}
        steps:
          - {step: verify_answer, name: check, of: "${source}"}
          - {step: filter, name: right, of: "${source}", keep: "${keep}"}
    """
    outer = """
        steps:
          - {step: generate, name: check, samples: 2}
          - {step: generate, name: more}
          - {use: inner.yaml, name: first, with: {source: check}}
          - {use: inner.yaml, name: all, with: {source: [check, more, "${given}"], keep: "score.correct and ${given_too}"}}
    """
    use = "  - {step: generate, name: check}\n  - {use: outer.yaml, name: o, with: {given: check, given_too: 1}}\n"
    assert found_in(tmp_path, HEAD + use, inner=inner, outer=outer) == []
    made = load_pipeline(str(tmp_path / "p.yaml"))
    assert {s.name: s.of for s in made.steps} == {
        "check": None,
        "o_check": None,
        "o_more": None,
        "o_first_check": "o_check",
        "o_first_right": "o_check",
        "o_all_check": ("o_check", "o_more", "check"),
        "o_all_right": ("o_check", "o_more", "check"),
    }
    assert made.steps[-1].keep == "score.correct and 1"


def test_blocks_have_bounds(tmp_path: Path):
    """Of depth, of steps, and of the text that parameters make; a bomb of blocks ends at once."""
    for depth in range(MOST_DEPTH + 2):
        text = f"steps:\n  - use: b{depth + 1}.yaml\n" if depth <= MOST_DEPTH else "steps: [{step: generate}]\n"
        (tmp_path / f"b{depth}.yaml").write_text(text)
    found = found_in(tmp_path, HEAD + "  - use: b2.yaml\n")
    assert found == []
    ((name, line, what, _),) = found_in(tmp_path, HEAD + "  - use: b1.yaml\n")[:1]
    assert (name, line, what) == (f"b{MOST_DEPTH}.yaml", 2, f"blocks are more than {MOST_DEPTH} deep")

    for depth in range(9):
        inner = f"  - use: b{depth + 1}.yaml\n" * 9 if depth < 8 else "  - step: generate\n"
        (tmp_path / f"b{depth}.yaml").write_text("steps:\n" + inner)
    found = found_in(tmp_path, HEAD + "  - use: b0.yaml\n")
    assert [what for _, _, what, _ in found if "taken" not in what] == [
        f"the pipeline has more than {MOST_STEPS} steps"
    ]

    for depth in range(9):
        inner = (
            f"  - use: b{depth + 1}.yaml\n    with: {{a: '{'${a}' * 9}'}}\n"
            if depth < 8
            else "  - {step: generate, by: 'x ${a}'}\n"
        )
        (tmp_path / f"b{depth}.yaml").write_text("steps:\n" + inner)
    found = found_in(tmp_path, HEAD + "  - {use: b0.yaml, with: {a: aaaaaaaa}}\n")
    assert "filling in parameters makes more than 1,048,576 characters" in {what for _, _, what, _ in found}


# repeat


def repeat(steps: str, **options: object) -> str:
    """A repeat of steps; until and at_most if they are not given otherwise, in the lines after `repeat:`."""
    given = {"until": "unit.pairs", "at_most": 3, **options}
    head = "".join(f"      {key}: {value}\n" for key, value in given.items() if value is not None)
    return f"  - repeat:\n{head}      steps:\n{textwrap.indent(textwrap.dedent(steps), ' ' * 8)}"


REVISE = "- {step: critique, by: critic}\n- {step: revise}\n"


@pytest.mark.parametrize(
    ("text", "line", "what", "fix"),
    [
        (repeat(REVISE, until=None), 5, "repeat: until is missing", "until: EXPRESSION"),
        (repeat(REVISE, until=3), 6, "repeat: until is not a text", "until: EXPRESSION"),
        (repeat(REVISE, at_most=None), 5, "repeat: at_most is missing", "from 1 to 20"),
        (repeat(REVISE, at_most=0), 7, "repeat: at_most is 0, and not a number from 1 to 20", "from 1 to 20"),
        (repeat(REVISE, at_most=21), 7, "repeat: at_most is 21", "from 1 to 20"),
        (repeat(REVISE, at_most="true"), 7, "repeat: at_most is True", "from 1 to 20"),
        (repeat(REVISE, at_most="many"), 7, "repeat: at_most is many", "from 1 to 20"),
        (repeat(REVISE, most=3), 8, "unknown key 'most'", "did you mean 'at_most'?"),
        (repeat(REVISE) + "    name: x\n", 11, "unknown key 'name'", "known: repeat"),
        ("  - repeat: 3\n", 5, "repeat is not a mapping", "write repeat: {until: …, at_most: …, steps: […]}"),
        ("  - repeat: {until: 'true', at_most: 2}\n", 5, "repeat has no steps", "add steps:"),
        ("  - repeat: {until: 'true', at_most: 2, steps: []}\n", 5, "repeat has no steps", "add steps:"),
        (
            repeat("- {step: revise}\n" + textwrap.dedent(repeat(REVISE))),
            10,
            "a repeat stands within a repeat",
            "one repeat",
        ),
        (repeat("- step: revise\n  unless: 'true'\n"), 10, "step revise: unless stands within a repeat", "when:"),
        (
            repeat("- step: critique\n  of: revise\n- step: revise\n"),
            10,
            "of names only steps that stand after it",
            "[BEFORE, NAME]",
        ),
        (repeat("- step: revise\n  of: revise\n"), 10, "of names only steps that stand after it", "[BEFORE, NAME]"),
        (
            repeat("- step: critique\n  of: revis\n- step: revise\n"),
            10,
            "there is no earlier step 'revis'",
            "earlier steps: input, solve",
        ),
        (repeat("- step: revise\n  sampels: 3\n"), 10, "step revise: unknown option 'sampels'", "did you mean"),
        (repeat("- {step: revise}\n- {step: revise}\n"), 10, "the name 'revise' is taken", "name of its own"),
        (
            "  - {step: revise, name: revise_2}\n" + repeat(REVISE),
            11,
            "the name 'revise_2' is taken",
            "name of its own",
        ),
        (repeat("- step: revise\n  when: score.x\n"), 10, "no earlier step makes the score 'x'", "scores"),
        (repeat("- step: filter\n  keep: score.x\n"), 10, "no earlier step makes the score 'x'", "scores"),
        (repeat("- step: revise\n  prompt: none.j2\n"), 10, "no such", ""),
    ],
)
def test_mistakes_in_a_repeat(tmp_path: Path, text: str, line: int, what: str, fix: str):
    """Each is found once, whatever the number of iterations."""
    found = found_in(tmp_path, HEAD + SOLVE + text)
    ((_, at, _, todo),) = [f for f in found if what in f[2]]
    assert at == line, found
    assert fix in todo
    assert len(found) == len(set(found))


def test_a_repeat_may_not_make_too_many_steps(tmp_path: Path):
    steps = "".join(f"- {{step: generate, name: g{i}}}\n" for i in range(60))
    ((_, line, what, _),) = found_in(tmp_path, HEAD + SOLVE + repeat(steps, at_most=9))
    assert (line, what) == (7, "with 9 iterations the pipeline has more than 500 steps")
    assert found_in(tmp_path, HEAD + SOLVE + repeat(steps, at_most=8)) == []


def test_corpus_steps_are_not_repeated(tmp_path: Path):
    text = HEAD + SOLVE + "corpus:\n" + repeat("- {step: near_duplicates}\n")
    ((_, line, what, _),) = found_in(tmp_path, text)
    assert (line, what) == (6, "a repeat stands in corpus")


def test_references_within_and_after_a_repeat(tmp_path: Path):
    """In an iteration a name means its own step where it stands before, else that of the iteration before."""
    text = repeat(
        """
        - {step: critique, by: critic, of: [solve, revise]}
        - {step: revise, of: [solve, revise], when: problem.answer}
        - {step: verify_answer, of: revise}
        """
    )
    text += "  - {step: pair, of: revise, over: [solve, revise]}\n  - {step: filter, keep: 'true'}\n"
    assert found_in(tmp_path, HEAD + SOLVE + text) == []
    made = {s.name: s for s in load_pipeline(str(tmp_path / "p.yaml")).steps}
    every = ("revise", "revise_2", "revise_3")
    assert {name: s.of for name, s in made.items() if s.of is not None} == {
        "critique": ("solve",),
        "revise": ("solve",),
        "verify_answer": "revise",
        "critique_2": ("solve", "revise"),
        "revise_2": ("solve", "revise"),
        "verify_answer_2": "revise_2",
        "critique_3": ("solve", "revise_2"),
        "revise_3": ("solve", "revise_2"),
        "verify_answer_3": "revise_3",
        "pair": every,
        "filter": every,
    }
    assert made["pair"].over == ("solve", *every)
    assert [(s.when, s.unless) for s in (made["revise"], made["revise_2"])] == [
        ("problem.answer", None),
        ("problem.answer", "unit.pairs"),
    ]
    assert [getattr(made[name], "iteration", None) for name in ("solve", "revise", "revise_3", "verify_answer_3")] == [
        1,
        1,
        3,
        None,
    ]


def test_a_block_in_a_repeat_and_a_repeat_in_a_block(tmp_path: Path):
    """Both are expanded; the iteration comes after the prefix."""
    critic = (
        "steps:\n  - {step: critique, name: say, by: critic}\n  - {step: revise, name: again, when: unit.critiques}\n"
    )
    loop = """
        steps:
          - repeat:
              until: unit.pairs
              at_most: "${most}"
              steps:
                - {use: critic.yaml, name: c}
                - {step: verify_answer, name: check, of: c_again}
    """
    text = HEAD + SOLVE + "  - {use: loop.yaml, name: l, with: {most: 2}}\n"
    assert found_in(tmp_path, text, critic=critic, loop=loop) == []
    made = load_pipeline(str(tmp_path / "p.yaml"))
    once = ["l_c_say", "l_c_again", "l_check"]
    assert names(made) == ["solve", *once, *(f"{name}_2" for name in once)]
    assert [s.of for s in made.steps if s.step == "verify_answer"] == ["l_c_again", "l_c_again_2"]
    ((name, line, what, _),) = found_in(tmp_path, text.replace("most: 2", "most: 30"))
    assert (name, line, what) == ("p.yaml", 5, "repeat: at_most is 30, and not a number from 1 to 20")


@st.composite
def loops(draw):
    """Steps before, in and after a repeat, each with references to any of them, in a pipeline without other mistakes."""
    kinds = ["generate", "revise", "pair"]
    before, inner, after = (draw(st.integers(low, 3)) for low in (1, 1, 0))
    n = before + inner + after
    steps = []
    for i in range(n):
        kind = "generate" if i == 0 else draw(st.sampled_from(kinds))
        steps.append({"step": kind, "name": f"s{i}"})
    writers = [i for i, s in enumerate(steps) if s["step"] != "pair"]
    for i, step in enumerate(steps):
        if step["step"] == "generate":
            continue
        end = before + inner if before <= i < before + inner else i  # in the repeat also later steps
        known = [f"s{j}" for j in writers if j < end]
        for option in ("of", "over") if step["step"] == "pair" else ("of",):
            some = draw(st.lists(st.sampled_from(known), max_size=3, unique=True))
            if some:
                step[option] = ["s0", *(name for name in some if name != "s0")]
    most = draw(st.integers(1, 4))
    loop = {"repeat": {"until": "unit.pairs", "at_most": most, "steps": steps[before : before + inner]}}
    return [*steps[:before], loop, *steps[before + inner :]], before, inner, most


@given(loops())
def test_expansion_leaves_no_reference_open(drawn):
    """Every name in a plain step is that of an earlier plain step, and each iteration has each step once."""
    items, before, inner, most = drawn
    made = load_pipeline({"pipeline": "my/p", "imports": ["score.correct"], "steps": items})
    assert len(made.steps) == len(items) - 1 + inner * most
    earlier: list[str] = []
    for step in made.steps:
        referred = {name for names in step.refers_to().values() for name in names}
        assert referred <= set(earlier)
        assert step.name not in earlier
        earlier.append(step.name)
    once = [f"s{i}" for i in range(before, before + inner)]
    iterations = [once, *([f"{name}_{k}" for name in once] for k in range(2, most + 1))]
    assert names(made)[before : before + inner * most] == [name for iteration in iterations for name in iteration]
    copies = [step for step in made.steps if step.unless is not None]
    assert len(copies) == inner * (most - 1)


# insert, replace

BASE = """
    pipeline: my/base
    roles: {teacher: writes, critic: explains}
    steps:
      - {step: generate, name: solve, samples: 4, temperature: 0.7}
      - repeat:
          until: score.pass_rate > 0
          at_most: 2
          steps:
            - {step: verify_answer, name: check}
            - {step: pass_rate, name: rate}
      - {step: select, keep: 2}
    corpus:
      - {step: near_duplicates}
"""


def test_a_preset_inserts_and_replaces_steps(tmp_path: Path):
    """Also within a repeat and among the corpus steps; the new step keeps the name of the one it replaces."""
    text = """
        pipeline: my/p
        extends: base.yaml
        insert:
          - after: solve
            steps:
              - {step: generate, name: more, by: critic}
              - {use: block.yaml, name: b, with: {role: teacher}}
          - before: rate
            steps: [{step: vote}]
          - before: near_duplicates
            steps: [{step: split, share: 0.1}]
        replace:
          solve: {step: generate, samples: 2}
          select: {step: filter, name: right, keep: score.correct}
        override:
          more: {samples: 3}
          rate: {score: correct}
    """
    block = yaml.safe_dump(yaml.safe_load(textwrap.dedent(BLOCK)))
    found = found_in(tmp_path, text, base=BASE, block=block)
    if found and "share" in found[0][2]:
        found = found_in(tmp_path, text.replace(", share: 0.1", ""), base=BASE, block=block)
    assert found == []
    made = load_pipeline(str(tmp_path / "p.yaml"))
    once = ["check", "vote", "rate"]
    assert names(made) == ["solve", "more", "b_solve", "b_check", *once, *(f"{n}_2" for n in once), "right"]
    assert [(s.samples, s.temperature) for s in made.steps[:2]] == [(2, None), (3, None)]
    assert [s.step for s in made.corpus] == ["split", "near_duplicates"]


@pytest.mark.parametrize(
    ("text", "line", "what", "fix"),
    [
        (
            "insert:\n  - {after: solv, steps: [{step: vote}]}\n",
            4,
            "base.yaml has no step 'solv'",
            "did you mean 'solve'?",
        ),
        ("insert: {after: solve}\n", 3, "insert is not a list", "write insert: [{after: NAME"),
        (
            "insert:\n  - {steps: [{step: vote}]}\n",
            4,
            "an insert is not of before: or after: with steps:",
            "write insert",
        ),
        (
            "insert:\n  - {before: solve, after: solve, steps: []}\n",
            4,
            "an insert is not of before: or after:",
            "write",
        ),
        ("insert:\n  - {before: solve, step: vote}\n", 4, "an insert is not of before: or after: with steps:", "write"),
        ("insert:\n  - before: solve\n    steps: vote\n", 5, "steps is not a list of steps", "write - step: NAME"),
        (
            "insert:\n  - after: solve\n    steps:\n      - step: vot\n",
            6,
            "there is no step 'vot'",
            "did you mean 'vote'?",
        ),
        ("replace:\n  solv: {step: vote}\n", 4, "base.yaml has no step 'solv'", "did you mean 'solve'?"),
        ("replace: [solve]\n", 3, "replace is not a mapping", "write replace: {NAME: …}"),
        ("replace:\n  solve: generate\n", 4, "the step for 'solve' is not a mapping", "write NAME: {step: …}"),
        ("replace:\n  solve:\n    samples: 3\n", 4, "the step is not named", ""),
        (
            "replace:\n  solve:\n    step: generate\n    sampels: 3\n",
            6,
            "step solve: unknown option 'sampels'",
            "'samples'",
        ),
        ("override: [solve]\n", 3, "override is not a mapping", "write override: {NAME: …}"),
        ("override:\n  solve: 3\n", 4, "the options for 'solve' are not a mapping", "NAME: null"),
        ("override:\n  check_2: {score: x}\n", 4, "base.yaml has no step 'check_2'", "did you mean 'check'?"),
    ],
)
def test_mistakes_in_changes(tmp_path: Path, text: str, line: int, what: str, fix: str):
    found = found_in(tmp_path, "pipeline: my/p\nextends: base.yaml\n" + text, base=BASE)
    ((name, at, _, todo),) = [f for f in found if what in f[2]]
    assert (name, at) == ("p.yaml", line), found
    assert fix in todo


@pytest.mark.parametrize(
    "key", ["insert: [{after: solve, steps: []}]", "replace: {solve: {}}", "override: {solve: {}}"]
)
def test_changes_are_those_of_a_base(tmp_path: Path, key: str):
    ((_, line, what, fix),) = found_in(tmp_path, HEAD + SOLVE + key + "\n")
    assert (line, what) == (5, f"{key.partition(':')[0]} without extends")
    assert fix == "name the pipeline it changes: extends: NAME"


# the schema


@pytest.mark.parametrize(
    "steps",
    [
        [{"step": "generate", "enabled": False, "when": "problem.answer"}],
        [{"use": "block.yaml"}, {"use": "block.yml", "name": "b", "with": {"role": "teacher", "n": 3, "l": ["a"]}}],
        [{"repeat": {"until": "unit.pairs", "at_most": 3, "steps": [{"step": "revise"}, {"use": "b.yaml"}]}}],
    ],
)
def test_the_schema_knows_control(steps):
    jsonschema.validate({"pipeline": "my/p", "steps": steps}, all_schemas()["pipeline.json"])
    change = {"insert": [{"after": "x", "steps": steps}], "replace": {"x": {"step": "vote"}}, "override": {"x": None}}
    jsonschema.validate({"pipeline": "my/p", "extends": "q", **change}, all_schemas()["pipeline.json"])


@pytest.mark.parametrize(
    "step",
    [
        {"step": "generate", "enabled": "perhaps"},
        {"use": "block"},
        {"use": "block.yaml", "step": "generate"},
        {"repeat": {"until": "x", "steps": [{"step": "revise"}]}},
        {"repeat": {"until": "x", "at_most": 21, "steps": [{"step": "revise"}]}},
        {"repeat": {"until": "x", "at_most": 2, "steps": []}},
        {"repeat": {"until": "x", "at_most": 2, "steps": [{"repeat": {"until": "x", "at_most": 2, "steps": []}}]}},
    ],
)
def test_the_schema_refuses_what_is_no_control(step):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"pipeline": "my/p", "steps": [step]}, all_schemas()["pipeline.json"])
