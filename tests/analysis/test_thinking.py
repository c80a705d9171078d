"""The animation: a frame for each step, what changed in it, how long it stays, and the same bytes again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from analysis import thinking
from analysis.choosing import choose
from analysis.thinking import PAUSE, Animation
from tests.analysis.recorded import DIS
from tests.analysis.synthetic_run import write_run
from trm.errors import UserError
from trm_lab.puzzles.drawing import CHANGED
from trm_lab.runs.recorded_run import read_run
from trm_lab.runs.stored_answers import stored_answers

KINDS = ("cube", "answer")


def test_a_gif_has_a_frame_for_each_step_and_stays_on_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures" / "dis.gif"
    thinking.main([str(DIS), "--most", "1", "--fps", "2", "--output", str(file)])
    assert capsys.readouterr().out == f"{file}\n"
    with Image.open(file) as gif:
        durations = []
        for number in range(gif.n_frames):
            gif.seek(number)
            durations.append(gif.info["duration"])
        assert gif.info["loop"] == 0
    assert durations == [500] * 5 + [PAUSE * 500]
    again = tmp_path / "again.gif"
    thinking.main([str(DIS), "--most", "1", "--fps", "2", "--output", str(again)])
    assert again.read_bytes() == file.read_bytes()


def test_an_output_that_is_no_gif_is_an_error_that_names_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--output .*t\.png") as error:
        thinking.main([str(DIS), "--output", str(tmp_path / "t.png")])
    assert error.value.remedy == f"--output {tmp_path / 't.gif'}"
    assert not list(tmp_path.iterdir())


def test_a_frame_shows_the_step_s_answer_and_frames_what_it_changed() -> None:
    chosen = choose(stored_answers(read_run(DIS)), 1, kind="fixed-late")
    animation, preds = Animation(chosen), chosen.answered.preds[0]
    changes = (preds[1:] != preds[:-1]).reshape(5, 4, 4)
    assert changes.any()
    for step in range(6):
        animation.show(step)
        question, answer, margin, solution = animation.figure.axes[:4]
        assert [axes.get_title() for axes in (question, answer, margin, solution)] == [
            "question", f"step {step + 1} of 6", "margin", "answer",
        ]  # fmt: skip
        written = {(int(y), int(x)): t.get_text() for t in answer.texts for x, y in [t.get_position()]}
        shown = {
            (row, column): str(token - 1)
            for (row, column), token in np.ndenumerate(preds[step].reshape(4, 4))
            if token > 1
        }
        assert written == shown
        framed = {(int(patch.get_y()), int(patch.get_x())) for patch in answer.patches}
        assert framed == (
            {tuple(cell) for cell in np.argwhere(changes[step - 1]).tolist()} if step else set()
        )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_puzzle_can_be_animated_and_marks_changes(kind: str, tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / kind, steps=2, arc=False, training_steps=400, puzzles=[kind]))
    chosen = choose(stored_answers(run), 1, kind="fixed-late")
    preds = chosen.answered.preds
    margin = np.where(chosen.answered.labels[:, None] < 0, np.nan, 1.0) * np.ones(preds.shape)
    animation = Animation(replace(chosen, answered=replace(chosen.answered, margin=margin)))
    for step in range(2):
        animation.show(step)
        _, answer, colours, _ = animation.figure.axes[:4]
        edges = [patch.get_edgecolor() for patch in answer.patches] + [answer.spines["left"].get_edgecolor()]
        visible = answer.spines["left"].get_visible() or kind != "answer"
        marked = CHANGED in [to_hex(edge).upper() for edge in edges] and visible
        assert marked == (step == 1)
        assert colours.get_images()
    animation.figure.savefig(tmp_path / "frame.png")
