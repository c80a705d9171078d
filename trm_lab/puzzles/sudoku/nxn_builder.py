"""Build a sudoku dataset of 4×4, 6×6 or 9×9 cells: one solution each, train and test disjoint up to symmetry.

Boxes are 2×2, 2×3 (rows × columns) and 3×3. Full grids are drawn uniformly from all that exist.
The 4×4 builder (`data.build_sudoku_4x4_dataset`) has the same flags. N side, C = N·N cells.
Run it with `python -m data.build_sudoku_nxn_dataset --help`.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.command_line import AUGMENTATIONS, COUNT, CommandLine, integer, local_path
from trm_lab.commands.progress import track
from trm_lab.puzzles.categories import Categories, by_value
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.sudoku.geometry import FEWEST_GIVENS, GEOMETRIES, Digits, Geometry
from trm_lab.puzzles.sudoku.grids import count_grids
from trm_lab.puzzles.sudoku.puzzles import PuzzleRequest, draw_puzzles, take_unseen
from trm_lab.puzzles.sudoku.reveal_order import deduction_rounds
from trm_lab.puzzles.sudoku.symmetries import draw_symmetries
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK
from trm_lab.puzzles.writer import Examples, build_plain_dataset, check_output

EXAMPLE = """\
  python -m data.build_sudoku_nxn_dataset --size 9 --train-size 1000 --test-size 200 --num-aug 1000
easy ones of 6×6 cells, and the hardest:
  python -m data.build_sudoku_nxn_dataset --size 6 --min-givens 16 --max-givens 24 --output-dir data/sudoku-6x6-easy
  python -m data.build_sudoku_nxn_dataset --size 6 --max-givens 10 --output-dir data/sudoku-6x6-hard"""
DEFAULT_MOST = {4: 8, 6: 18, 9: 36}  # givens
_ROUNDS = 5  # tries for images that differ


def command_line() -> CommandLine:
    """The flags."""
    parser = CommandLine("python -m data.build_sudoku_nxn_dataset", "Build a sudoku dataset of N×N cells.", EXAMPLE)
    parser.add_argument(
        "--size", type=integer(1, 81), choices=list(GEOMETRIES), default=9, help="N: rows, columns and digits (9)"
    )
    return add_flags(parser)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = command_line().parse(arguments)
    build(flags, flags.size)


def add_flags(parser: CommandLine) -> CommandLine:
    """The flags that both builders have."""
    parser.add_argument("--output-dir", type=local_path, help="where the dataset goes (data/sudoku-<size>x<size>)")
    parser.add_argument("--train-size", type=COUNT, default=1000, help="training puzzles (1000)")
    parser.add_argument("--test-size", type=COUNT, default=200, help="test puzzles (200)")
    parser.add_argument("--givens", type=integer(1, 81), help="givens of every puzzle; fewer are harder")
    parser.add_argument(
        "--min-givens",
        type=integer(1, 81),
        help=f"where the removal of givens stops at the latest ({_by_size(FEWEST_GIVENS)})",
    )
    parser.add_argument("--max-givens", type=integer(1, 81), help=f"most givens of a puzzle ({_by_size(DEFAULT_MOST)})")
    parser.add_argument(
        "--num-aug",
        type=AUGMENTATIONS,
        default=0,
        help="most symmetric images of a training puzzle beside it, all different (0)",
    )
    parser.add_steps_flag()
    parser.add_builder_flags(seed=42)
    return parser


def build(flags: argparse.Namespace, size: int) -> None:
    """Build what the flags say and print a summary.

    Raises:
        UserError: numbers of givens or of puzzles that do not exist, or an output folder in use.
    """
    geometry = GEOMETRIES[size]
    name = f"sudoku-{size}x{size}"
    flags.output_dir = flags.output_dir or Path("data") / name
    fewest, most = _givens(flags, size)
    check_output(flags.output_dir, flags.overwrite)
    request = PuzzleRequest(flags.train_size + flags.test_size, fewest, most)
    questions, answers = draw_puzzles(geometry, request, flags.seed)
    train, test = slice(0, flags.train_size), slice(flags.train_size, None)
    splits = {
        "train": _with_images(geometry, questions[train], answers[train], flags.num_aug, flags.seed),
        "test": _examples(questions[test], answers[test]),
    }
    facts: dict[str, Any] = {
        "size": size,
        "box_rows": geometry.box_rows,
        "box_columns": geometry.box_columns,
        "seed": flags.seed,
        "full_grids": count_grids(geometry),
        "min_givens": fewest,
        "max_givens": most,
        "mean_givens": {
            split: round(float(np.count_nonzero(questions[part], axis=1).mean()), 3)
            for split, part in (("train", train), ("test", test))
        },
        "num_aug": flags.num_aug,
        "puzzles_pairwise_inequivalent": True,
    }
    about = About(name, version=1, protocol="clean", scorer="sudoku", facts=facts)
    build_plain_dataset(flags, about, splits, vocab_size=size + 2, categories=by_givens(splits))
    print(f"  mean givens: {facts['mean_givens']['train']} in train, {facts['mean_givens']['test']} in test")


def by_givens(splits: Mapping[str, Examples]) -> Categories:
    """The examples by their number of givens."""
    return by_value("givens", {name: (split.inputs > SUDOKU_BLANK).sum(1) for name, split in splits.items()})


def _by_size(numbers: dict[int, int]) -> str:
    return ", ".join(f"{size}×{size}: {number}" for size, number in numbers.items())


def _givens(flags: argparse.Namespace, size: int) -> tuple[int, int]:
    """The fewest and most givens of a puzzle, by the flags."""
    lowest, highest = FEWEST_GIVENS[size], size * size - 1
    if flags.givens is not None and (flags.min_givens is not None or flags.max_givens is not None):
        raise UserError(
            given=f"--givens {flags.givens} beside --min-givens or --max-givens",
            allowed="--givens for one number, or the other two for a range",
            remedy="drop one or the other",
        )
    fewest = flags.givens or flags.min_givens or lowest
    most = flags.givens or flags.max_givens or max(fewest, DEFAULT_MOST[size])
    if not lowest <= fewest <= most <= highest:
        raise UserError(
            given=f"{fewest}..{most} givens for {size}×{size} cells",
            allowed=f"a range within {lowest}..{highest}: with fewer, a puzzle has several solutions",
            remedy="change --givens, or --min-givens and --max-givens",
        )
    return fewest, most


def _with_images(geometry: Geometry, questions: Digits, answers: Digits, num_aug: int, seed: int) -> Examples:
    """Each puzzle, then up to `num_aug` images of it, as a group; images of a group differ."""
    orders = deduction_rounds(geometry, questions, answers)
    if not num_aug:
        return _examples(questions, answers, reveal_order=orders)
    generator = numpy_generator(seed, "sudoku images")
    groups = [
        _group(geometry, questions[index], answers[index], orders[index], num_aug, generator)
        for index in track(range(len(questions)), "drawing images")
    ]
    sizes = np.array([len(inputs) for inputs, _, _ in groups])
    images, solved, moved = (np.concatenate(boards) for boards in zip(*groups, strict=True))
    return _examples(images, solved, sizes, moved)


def _group(
    geometry: Geometry, question: Digits, answer: Digits, order: Digits, num_aug: int, generator: np.random.Generator
) -> tuple[Digits, Digits, Digits]:
    """Questions, answers, orders `[up to 1 + num_aug, C]`; fewer where 5 rounds of draws found no more."""
    seen = {question.tobytes()}
    questions, answers, orders = [question[None]], [answer[None]], [order[None]]
    for _ in range(_ROUNDS):
        missing = 1 + num_aug - len(seen)
        if not missing:
            break
        symmetries = draw_symmetries(geometry, missing, generator)
        images = symmetries.apply(np.repeat(question[None], missing, axis=0))
        new = take_unseen((image.tobytes() for image in images), seen, missing)
        questions.append(images[new])
        answers.append(symmetries.apply(np.repeat(answer[None], missing, axis=0))[new])
        orders.append(symmetries.move(np.repeat(order[None], missing, axis=0))[new])
    return np.concatenate(questions), np.concatenate(answers), np.concatenate(orders)


def _examples(
    questions: Digits, answers: Digits, group_sizes: NDArray[np.int64] | None = None, reveal_order: Digits | None = None
) -> Examples:
    blank = np.uint8(SUDOKU_BLANK)
    return Examples(questions + blank, answers + blank, group_sizes, reveal_order)
