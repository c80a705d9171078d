"""One example of each dataset, question and answer side by side: draws a picture.

Above each stands what the dataset says of itself. Sizes are in inches.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.outputs import FIGURE
from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.commands.command_line import COUNT_OR_NONE, CommandLine, local_path, run_command
from trm_lab.files.whole_files import check_output_file
from trm_lab.puzzles.arc.picture import ArcGrids
from trm_lab.puzzles.kinds import KINDS, picture_of
from trm_lab.puzzles.layout import read_test_puzzles
from trm_lab.puzzles.manifest import read_about
from trm_lab.puzzles.picture import Example, ExamplePicture
from trm_lab.puzzles.splits import open_split

PAGE = 11.0  # the most that a line may be wide
GAP, BETWEEN, EDGE = 0.1, 0.4, 0.12  # question to answer; block to block; page to block
TITLE, BELOW = 0.42, 0.3  # above and below the panels of a block
CAPTION = 0.35


@dataclass(frozen=True)
class Block:
    """An example of one dataset with its words."""

    title: str
    subtitle: str
    picture: ExamplePicture
    example: Example

    @property
    def width(self) -> float:
        """Width of both panels and of what is between them."""
        return self.picture.question_width + GAP + self.picture.answer_width

    @property
    def height(self) -> float:
        """Height of the panels with the text above and below."""
        return TITLE + self.picture.height(self.example) + BELOW


def read_block(dataset: Path, split: str, number: int) -> Block:
    """Read example `number` (from 0) of a split.

    Raises:
        UserError: no such dataset, split or example, or puzzles of which there is no picture.
    """
    opened = open_split(dataset, split)
    examples = next(iter(opened.sets.values()))
    if number >= examples.count:
        raise UserError(
            given=f"example {number} of {dataset}/{split}",
            allowed=f"0..{examples.count - 1}",
            remedy="choose another --example",
        )
    at = np.array([number])
    puzzle = np.searchsorted(examples.puzzle_indices, at, side="right") - 1
    inputs, labels = (tokens[0].astype(np.int64) for tokens in examples.tokens(at, puzzle))
    if opened.metadata.ignore_label_id is not None:
        labels[labels == opened.metadata.ignore_label_id] = IGNORE_LABEL
    about = read_about(dataset)
    if about is None:
        title, subtitle = dataset.name, "without a manifest"
    else:
        title, subtitle = about.name, f"version {about.version}, protocol {about.protocol}"
    return Block(title, subtitle, _picture(dataset), Example(inputs, labels))


def _picture(dataset: Path) -> ExamplePicture:
    if read_test_puzzles(dataset):
        return ArcGrids()
    about = read_about(dataset)
    picture = None if about is None else picture_of(about.scorer, about.facts)
    if picture is None:
        kind = "no manifest" if about is None else f"the scorer {about.scorer!r}"
        raise UserError(
            given=f"{dataset} has {kind}, so its puzzles cannot be drawn",
            allowed=f"ARC, or a dataset whose scorer is one of {', '.join(KINDS)}",
            remedy="build the dataset with one of this version's builders",
        )
    return picture


def puzzle_gallery(blocks: Sequence[Block], caption: str) -> Figure:
    """Draw the blocks in lines across a page."""
    lines = _lines(blocks)
    wide = 2 * EDGE + max(_width(line) for line in lines)
    high = 2 * EDGE + sum(max(block.height for block in line) for line in lines) + CAPTION
    with style.applied():
        fig = Figure(figsize=(wide, high))
        top = high - EDGE
        for line in lines:
            left = EDGE
            for block in line:
                _draw_block(fig, block, left, top)
                left += block.width + BETWEEN
            top -= max(block.height for block in line)
        fig.text(EDGE / wide, EDGE / high, caption, va="bottom", fontsize=7.5)
    return fig


def _lines(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks in their order, as many in a line as fit."""
    lines: list[list[Block]] = [[]]
    for block in blocks:
        if lines[-1] and 2 * EDGE + _width([*lines[-1], block]) > PAGE:
            lines.append([])
        lines[-1].append(block)
    return lines


def _width(line: Sequence[Block]) -> float:
    return sum(block.width for block in line) + BETWEEN * (len(line) - 1)


def _draw_block(fig: Figure, block: Block, left: float, top: float) -> None:
    """Draw a block whose upper left corner is at (left, top), from the page's lower left."""
    wide, high = fig.get_size_inches()
    picture, height = block.picture, block.picture.height(block.example)
    fig.text(left / wide, top / high, block.title, va="top", fontsize=9.5, fontweight="bold", parse_math=False)
    fig.text(left / wide, (top - 0.18) / high, block.subtitle, va="top", fontsize=7.5, parse_math=False)
    floor = top - TITLE - height

    def panel(start: float, width: float, name: str) -> Axes:
        axes = fig.add_axes((start / wide, floor / high, width / wide, height / high))
        axes.set_xlabel(name, fontsize=7.5, labelpad=2)
        return axes

    picture.draw_question(panel(left, picture.question_width, "question"), block.example)
    beside = left + picture.question_width + GAP
    picture.draw_answer(panel(beside, picture.answer_width, "answer"), block.example)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: a dataset cannot be read or drawn.
    """
    example = "  python -m analysis.puzzle_gallery data/nqueens-8 data/cube-2x2x2 --output docs/puzzles"
    parser = CommandLine("python -m analysis.puzzle_gallery", __doc__, example)
    parser.add_argument("datasets", type=local_path, nargs="+", metavar="dataset", help="dataset folders")
    parser.add_argument(
        "--output",
        type=local_path,
        default=Path("puzzles"),
        help="where it goes, without suffix: .png and .pdf (puzzles)",
    )
    parser.add_argument("--split", default="train", help="of which the example is (train)")
    parser.add_argument("--example", type=COUNT_OR_NONE, default=0, help="which example of the split, from 0 (0)")
    options = parser.parse(arguments)
    if options.output.name in ("", "..") or options.output.suffix in (".png", ".pdf"):
        raise UserError(
            f"--output {options.output}",
            "a file's path without .png and .pdf, which are put behind it",
            "--output puzzles",
        )
    for suffix in (".png", ".pdf"):
        check_output_file(options.output.with_name(options.output.name + suffix), FIGURE)
    blocks = [read_block(dataset, options.split, options.example) for dataset in options.datasets]
    caption = (
        f"Example {options.example} of the {options.split} split of each dataset, not picked for its looks. "
        "Black: given. Blue: to be found."
    )
    for path in style.save(puzzle_gallery(blocks, caption), options.output, "--output"):
        print(path)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")
