"""What a round notes of its training is read within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.engine.rounds import Round, Trained
from synth.engine.rounds import train as train_round
from synth.errors import UserError


def test_a_round_remembers_its_student(tmp_path: Path):
    """A round that was trained is not trained again."""
    this = Round(1, tmp_path, None)
    made = train_round(this, 'printf "http://localhost/v1#mine" > "$SYNTH_OUT/student.txt"', ["sft"])
    assert made == train_round(this, "exit 1", ["sft"]) == Trained("http://localhost/v1#mine", tmp_path / "train.log")


@pytest.mark.parametrize(
    "said", ["", "[1]", '{"format": 1}', '{"format": 1, "student": 7}', '{"format": 2, "student": {}}']
)
def test_a_note_of_another_shape_is_reported(said: str, tmp_path: Path):
    """It says what the note is not, a newer version first."""
    (tmp_path / "trained.json").write_text(said)
    with pytest.raises(
        UserError, match="newer version" if '"format": 2' in said else r"cannot be read(.|\n)*trained again"
    ):
        train_round(Round(1, tmp_path, None), "exit 1", [])


def test_a_note_that_leads_out_is_not_read(tmp_path: Path):
    """A link in its place is refused."""
    (tmp_path / "elsewhere.json").write_text('{"format": 1, "student": "theirs"}')
    (tmp_path / "round").mkdir()
    (tmp_path / "round/trained.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UserError, match="leads out"):
        train_round(Round(1, tmp_path / "round", None), "exit 1", [])
