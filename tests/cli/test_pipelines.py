"""`synth pipelines`: the steps of a pipeline's own Python beside those of the core."""

from __future__ import annotations

from support import synth

OWN = {"analyse_options", "counterfactual", "original_follows"}


def test_a_step_of_a_pipelines_own_python_is_shown():
    done = synth("pipelines", "counterfactual/poda", "--step", "analyse_options")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("analyse_options: Models list the premises")
    assert "  max_tokens (default" in done.stdout


def test_the_steps_of_a_pipeline_are_listed_with_those_of_the_core():
    listed = {line.split(" ")[0] for line in synth("pipelines", "poda", "--steps").stdout.splitlines()}
    assert listed >= OWN | {"generate", "split"}
    assert not OWN & {line.split(" ")[0] for line in synth("pipelines", "--steps").stdout.splitlines()}


def test_without_the_pipeline_the_error_says_where_such_a_step_is():
    done = synth("pipelines", "--step", "analyse_options")
    assert done.returncode == 2
    assert "there is no step 'analyse_options'" in done.stderr
    assert "synth pipelines NAME --step STEP" in done.stderr
