"""The animation: a frame for each step, what changed in it, how long it stays, and the same bytes again."""

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


def test_a_gif_has_a_frame_for_each_step_and_stays_on_the_last(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", steps=2, arc=False, training_steps=400, puzzles=["sudoku"])
    files = [tmp_path / "figures" / name for name in ("first.gif", "again.gif")]
    for file in files:
        thinking.main([str(run), "--most", "1", "--fps", "2", "--output", str(file)])
    with Image.open(files[0]) as gif:
        durations = []
        for number in range(gif.n_frames):
            gif.seek(number)
            durations.append(gif.info["duration"])
        assert gif.info["loop"] == 0
    assert durations == [500, PAUSE * 500]
    assert files[1].read_bytes() == files[0].read_bytes()


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
        answer = animation.figure.axes[1]
        titles = [axes.get_title() for axes in animation.figure.axes[:4]]
        assert titles == ["question", f"step {step + 1} of 6", "margin", "answer"]
        written = {(int(y), int(x)): t.get_text() for t in answer.texts for x, y in [t.get_position()]}
        tokens = np.ndenumerate(preds[step].reshape(4, 4))
        assert written == {cell: str(token - 1) for cell, token in tokens if token > 1}
        framed = {(int(patch.get_y()), int(patch.get_x())) for patch in answer.patches}
        changed = np.argwhere(changes[step - 1]).tolist() if step else []
        assert framed == set(map(tuple, changed))


def test_texts_and_cubes_can_be_animated_and_mark_changes(tmp_path: Path) -> None:
    for kind in ("cube", "answer"):
        run = read_run(write_run(tmp_path / kind, steps=2, arc=False, training_steps=400, puzzles=[kind]))
        animation = Animation(choose(stored_answers(run), 1, kind="fixed-late"))
        for step in range(2):
            animation.show(step)
            answer = animation.figure.axes[1]
            frame = answer.spines["left"]
            edges = [patch.get_edgecolor() for patch in answer.patches]
            edges += [frame.get_edgecolor()] if frame.get_visible() else []
            assert (CHANGED in [to_hex(edge).upper() for edge in edges]) == (step == 1)
        animation.figure.draw_without_rendering()
