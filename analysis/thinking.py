"""How answers come about, for chosen puzzles: draws an animated GIF.

A frame shows the answers after one supervision step, with a frame around what the step changed and, where it was kept,
its advantage margin. The last frame stays for a while. The same run gives the same bytes. S supervision steps.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.animation import PillowWriter

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.choosing import Chosen, picture_for
from analysis.heat import Heat
from analysis.methods import run_title
from analysis.outputs import ANIMATION, check_file
from analysis.sheets import Row, Sheet, Space
from analysis.strips import MARGIN_LEGEND, add_choice, caption, chosen_by, draw_ends, draw_margin, draw_step, example_of
from trm.errors import UserError
from trm_lab.commands.command_line import CommandLine, integer, local_path, run_command
from trm_lab.files.whole_files import mark, write_output

USUAL = 4  # examples by default
MOST_STEPS = 64
PAUSE = 3  # times a step's: how long the last frame stays
DPI = 110
CHANGES_LEGEND = "Purple frames: what the step changed."


class Animation:
    """One figure that shows the chosen examples at one step after another."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen, self.rows = chosen, range(len(chosen.answered))
        self.picture = picture_for(chosen.source, chosen.task)
        answered = chosen.answered
        self.steps = style.evenly_chosen(answered.preds.shape[1], MOST_STEPS)
        self.heat = None if answered.margin is None else Heat.over(answered.margin)
        with style.applied():
            self.sheet = self._sheet()
            self.figure, self._panels = self.sheet.figure()
            if self.heat is not None:
                self.heat.draw_scale(self.sheet.scale_axes(self.figure))

    def show(self, step: int) -> None:
        """Draw everything as it is after supervision step `step`, counted from 0."""
        with style.applied():
            for row, panels in zip(self.rows, self._panels, strict=True):
                for axes in panels.pictures:
                    axes.clear()
                self._draw_row(row, panels, step)
            for axes, title in zip(self._panels[0].pictures, self._titles(step), strict=True):
                axes.set_title(title, loc="center", fontsize=9)

    def _sheet(self) -> Sheet:
        picture, with_margin = self.picture, self.heat is not None
        predictions = self.chosen.answered.preds
        return Sheet(
            columns=[picture.question_width, *[picture.answer_width] * (3 if with_margin else 2)],
            titles=self._titles(0),
            rows=[Space(picture.height(example_of(self.chosen, row), list(predictions[row]))) for row in self.rows],
            heading=run_title(self.chosen.source.run, self.chosen.source.evaluation),
            caption=[*caption(self.chosen), picture.legend, CHANGES_LEGEND, *([MARGIN_LEGEND] if with_margin else [])],
            label_lines=1 if with_margin or self.chosen.answered.confidence is None else 2,
            scale=with_margin,
        )

    def _titles(self, step: int) -> list[str]:
        of_step = [f"step {step + 1} of {self.chosen.answered.preds.shape[1]}"]
        return ["question", *of_step, *(["margin"] if self.heat is not None else []), "answer"]

    def _draw_row(self, row: int, panels: Row, step: int) -> None:
        chosen, picture, preds = self.chosen, self.picture, self.chosen.answered.preds[row]
        question, predicted, *margin, answer = panels.pictures
        draw_ends(picture, chosen, row, question, answer)
        draw_step(picture, chosen, row, step, predicted)
        if step:
            picture.mark_changes(predicted, example_of(chosen, row), preds[step - 1], preds[step])
        verdict = style.GREEN if chosen.solved[row, step] else style.VERMILION
        predicted.xaxis.label.set(color=verdict, fontweight="bold")
        for axes in margin:
            draw_margin(picture, chosen, row, step, self.heat, axes)


def write(animation: Animation, file: Path, fps: int) -> None:
    """Write a GIF that shows `fps` steps in a second, and the last one `PAUSE` times as long."""
    writer = PillowWriter(fps)
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "animation.gif"
        with style.applied(), writer.saving(animation.figure, str(drawn), DPI):
            for step in animation.steps:
                animation.show(step)
                for _ in range(PAUSE if step == animation.steps[-1] else 1):
                    writer.grab_frame()
        content = drawn.read_bytes()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_output(file, with_comment(content, mark(ANIMATION)), ANIMATION)


def with_comment(gif: bytes, text: str) -> bytes:
    """A GIF with a comment before its end (GIF89a, section 24); viewers show none."""
    assert gif.endswith(b";")
    assert len(text) < 256
    return gif[:-1] + b"\x21\xfe" + bytes([len(text)]) + text.encode() + b"\0;"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: the output is no GIF, or the run cannot be read or has nothing of what is asked for.
    """
    example = "  python -m analysis.thinking runs/arc_mini_dis --fixed-late --most 3"
    parser = CommandLine("python -m analysis.thinking", __doc__, example)
    add_choice(parser, USUAL)
    parser.add_argument("--fps", type=integer(1, 20), default=1, help="steps shown in a second (1)")
    parser.add_argument("--output", type=local_path, help="the file (default: <run>/figures/thinking.gif)")
    options = parser.parse(arguments)
    file = options.output or options.run / "figures" / "thinking.gif"
    if file.suffix.lower() != ".gif":
        raise UserError(f"--output {file}", "a file whose name ends in .gif", f"--output {file.with_suffix('.gif')}")
    check_file(file, ANIMATION, options.run)
    write(Animation(chosen_by(options)), file, options.fps)
    print(file)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")
