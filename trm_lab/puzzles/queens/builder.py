"""Build an n queens dataset: some queens of a solution are given, the whole board is the answer.

A question may have several solutions, and its label is one of them: exact match has a ceiling, which is computed
here and stored as the dataset's facts; its scorer counts every valid board that keeps the given queens.
Run it with `python -m data.build_nqueens_dataset --help`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path
from trm_lab.puzzles.categories import by_value
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.queens.boards import (
    backtracking_weights,
    best_guess,
    boards,
    expected_exact_match,
    solutions,
    symmetry_classes,
)
from trm_lab.puzzles.queens.splits import (
    PUBLISHED_SIDE,
    PUBLISHED_TEST,
    Side,
    given_queens,
    published_splits,
    with_images,
)
from trm_lab.puzzles.writer import Examples, build_plain_dataset, check_output

VOCAB_SIZE = 3
LARGEST = 12  # queens; 14,200 solutions
SIZES = (5, *range(7, LARGEST + 1))
PROTOCOLS = ("clean", "published")
EXAMPLE = """\
  python -m data.build_nqueens_dataset --output-dir data/nqueens-8
  python -m data.build_nqueens_dataset --size 10 --train-size 20000 --test-size 2000
as published, its test pairs partly in its training set; --test-size 2000 adds questions to the 200:
  python -m data.build_nqueens_dataset --protocol published --output-dir data/nqueens-8x8-1k-aug-8
sizes of the clean protocol: 5 or 7 to 12 queens (all solutions for 4, and all for 6, are images of one, so that none
  is left for testing)"""
# flag: its value where it is not given; None: see `_filled`. The published protocol fixes all but the test size.
DEFAULTS: dict[str, int | None] = {
    "size": 8,
    "train_size": 800,
    "test_size": 200,
    "min_given": 1,
    "max_given": None,
    "test_classes": None,
    "num_aug": 7,
}


def command_line() -> CommandLine:
    """The flags; the published ones keep their names beside ours."""
    parser = CommandLine(
        "python -m data.build_nqueens_dataset",
        "Build an n queens dataset: complete a board on which some queens stand.",
        EXAMPLE,
    )
    parser.add_argument("--output-dir", type=local_path, help="where the dataset goes (data/nqueens-<size>)")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="clean",
        help="clean: no test pair or image of one in training; published: 8 queens, 800 x 9 and 200 from one pool",
    )
    parser.add_argument(
        "--size", "--board-size", type=integer(1, 64), help=f"n: 5 or 7..{LARGEST}, see below ({DEFAULTS['size']})"
    )
    parser.add_argument("--train-size", "--num-train", type=COUNT, help="training questions (800)")
    parser.add_argument("--test-size", "--num-test", type=COUNT, help="test questions (200)")
    parser.add_argument("--min-given", type=integer(0, LARGEST), help="least queens given (1)")
    parser.add_argument("--max-given", type=integer(0, LARGEST), help="most queens given (n - 1)")
    parser.add_argument("--test-classes", type=COUNT, help="symmetry classes of solutions held out (a quarter)")
    parser.add_argument(
        "--num-aug", type=integer(0, 7), help="turns and mirror images of a training question beside it (7: all)"
    )
    parser.add_steps_flag()
    parser.add_builder_flags(seed=42)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = command_line().parse(arguments)
    published = flags.protocol == "published"
    if published:
        _refuse_shape(flags)
    name = f"nqueens-{flags.size or PUBLISHED_SIDE}"
    if flags.output_dir is None:
        flags.output_dir = Path("data") / ("nqueens-8x8-1k-aug-8" if published else name)
    check_output(flags.output_dir, flags.overwrite)
    splits, facts = _published(flags) if published else _clean(_filled(flags))
    about = About(name, version=1, protocol=flags.protocol, scorer="queens", facts=facts)
    categories = by_value("queens given", {name: given_queens(split.inputs) for name, split in splits.items()})
    build_plain_dataset(flags, about, splits, vocab_size=VOCAB_SIZE, allow_overlap=published, categories=categories)
    print(f"  best possible expected exact match on the test split: {facts['best_exact_match']:.3f}")


def _refuse_shape(flags: argparse.Namespace) -> None:
    fixed = [flag for flag in DEFAULTS if flag != "test_size"]
    changed = [f"--{flag.replace('_', '-')}" for flag in fixed if getattr(flags, flag) is not None]
    if changed:
        raise UserError(
            given=f"--protocol published with {' '.join(changed)}",
            allowed="the published shape: 8 queens, 800 x 9 training examples, 0 to 7 given queens, any --test-size",
            remedy="drop these flags, or --protocol published",
        )


def _filled(flags: argparse.Namespace) -> argparse.Namespace:
    """The flags with their values where they were not given, as far as they do not depend on the solutions."""
    for flag, value in DEFAULTS.items():
        if getattr(flags, flag) is None:
            setattr(flags, flag, value)
    if flags.size not in SIZES:
        raise UserError(
            given=f"--size {flags.size}",
            allowed=f"5, 7..{LARGEST} for the clean protocol, which tests solutions that are no images of training "
            "solutions: all solutions for 4 queens, and all for 6, are images of one",
            remedy="take one of these sizes, such as --size 8",
        )
    if flags.max_given is None:
        flags.max_given = flags.size - 1
    if not flags.min_given <= flags.max_given < flags.size:
        raise UserError(
            given=f"--min-given {flags.min_given} and --max-given {flags.max_given} with {flags.size} queens",
            allowed=f"0 <= min-given <= max-given <= {flags.size - 1}",
            remedy="change one of them, or --size",
        )
    return flags


def _published(flags: argparse.Namespace) -> tuple[dict[str, Examples], dict[str, Any]]:
    """The release draws a solution by backtracking, which prefers some of the 92: its ceiling is above that of
    uniform draws. A model to which the images of a solution are equally likely, as the images in training make
    them, cannot know which of them is preferred: its best guess is the third ceiling.
    """
    columns = solutions(PUBLISHED_SIDE)
    weights = backtracking_weights(columns)
    classes = symmetry_classes(columns)
    alike = (np.bincount(classes, weights) / np.bincount(classes))[classes]
    splits = published_splits(columns, weights, flags.seed, flags.test_size or PUBLISHED_TEST)
    train, test = splits["train"], splits["test"]
    training_pairs = {pair.tobytes() for pair in np.hstack([train.inputs, train.labels])}
    facts = {
        "side": PUBLISHED_SIDE,
        "seed": flags.seed,
        "solutions": len(columns),
        **_means("best_exact_match", test.inputs, best_guess(test.inputs, boards(columns), weights)),
        **_expected("expected_best_exact_match", expected_exact_match(columns, weights)),
        **_expected("expected_best_exact_match_if_images_are_alike", expected_exact_match(columns, weights, alike)),
        **_expected("expected_best_exact_match_of_uniform_draws", expected_exact_match(columns)),
        "test_pairs_in_training": sum(  # nothing reads it, but the fingerprint of sets that runs were trained on has it
            pair.tobytes() in training_pairs for pair in np.hstack([test.inputs, test.labels])
        ),
    }
    return splits, facts


def _clean(flags: argparse.Namespace) -> tuple[dict[str, Examples], dict[str, Any]]:
    columns = solutions(flags.size)
    classes = symmetry_classes(columns)
    held_out = np.isin(classes, _test_classes(flags, int(classes.max()) + 1))
    solved = boards(columns)
    givens = range(flags.min_given, flags.max_given + 1)
    test = Side("test", columns[held_out], solved[~held_out], 0, flags.seed).draw(flags.test_size, givens)
    train = Side("train", columns[~held_out], solved[held_out], 1, flags.seed).draw(flags.train_size, givens)
    facts = {
        "side": flags.size,
        "seed": flags.seed,
        "solutions": len(columns),
        "symmetry_classes": int(classes.max()) + 1,
        "test_classes": len(np.unique(classes[held_out])),
        "test_solutions": int(held_out.sum()),
        "num_aug": flags.num_aug,
        "min_given": flags.min_given,
        "max_given": flags.max_given,
        **_means("best_exact_match", test[0], best_guess(test[0], solved[held_out])),
        **_means("best_exact_match_without_knowing_the_split", test[0], best_guess(test[0], solved)),
    }
    return {"train": with_images(*train, flags.num_aug), "test": Examples(*test)}, facts


def _test_classes(flags: argparse.Namespace, classes: int) -> NDArray[np.int64]:
    """Draw the symmetry classes that are held out for testing."""
    held_out = flags.test_classes or max(1, classes // 4)
    if held_out >= classes:
        raise UserError(
            given=f"{held_out} of the {classes} symmetry classes of {flags.size} queens held out for testing",
            allowed=f"1..{classes - 1}, so that training has a class too",
            remedy="choose a smaller --test-classes, or a larger --size",
        )
    return numpy_generator(flags.seed, "queens, classes").permutation(classes)[:held_out]


def _means(name: str, questions: NDArray[np.uint8], chance: NDArray[np.float64]) -> dict[str, Any]:
    """Facts: the mean of the probabilities `[E]`, over all questions `[E, n·n]` and by given queens."""
    counts = given_queens(questions)
    return {
        name: round(float(chance.mean()), 6),
        f"{name}_by_given": {
            str(count): round(float(chance[counts == count].mean()), 6) for count in np.unique(counts).tolist()
        },
    }


def _expected(name: str, ceilings: Sequence[float]) -> dict[str, Any]:
    """Facts: the ceilings for 0, 1, … given queens, each as frequent, and their mean."""
    by_given = {str(given): round(ceiling, 6) for given, ceiling in enumerate(ceilings)}
    return {name: round(sum(ceilings) / len(ceilings), 6), f"{name}_by_given": by_given}
