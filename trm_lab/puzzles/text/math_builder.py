"""Build a mathematics dataset: made here over fourteen categories, or read from files in the form of GSM8K or MATH.

Run it with `python -m data.build_math_gsm8k_dataset --help`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trm.errors import UserError
from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.math_categories import ANSWER_LENGTH, CATEGORIES, QUESTION_LENGTH
from trm_lab.puzzles.text.math_splits import read_splits
from trm_lab.puzzles.text.question_sets import (
    PRINTABLE,
    SCORER,
    Sizes,
    Splits,
    choose,
    draw_splits,
    family_facts,
    interleaved,
    write_question_set,
)
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import check_output, summary

FILE_QUESTION_LENGTH, FILE_ANSWER_LENGTH = (
    512,
    32,
)  # characters
PROGRAM = "python -m data.build_math_gsm8k_dataset"
EXAMPLE = f"""\
  python -m data.build_math_gsm8k_dataset --output-dir data/math
  python -m data.build_math_gsm8k_dataset --categories algebra word_problems \\
      --train-size 50000 --test-size 2000 --output-dir data/math-algebra
files that you have, in the form of GSM8K or MATH:
  python -m data.build_math_gsm8k_dataset --input gsm8k/train.jsonl --test-input gsm8k/test.jsonl \\
      --output-dir data/gsm8k
categories:
  {" ".join(category.name for category in CATEGORIES)}"""


def command_line() -> CommandLine:
    """The flags."""
    parser = CommandLine(
        PROGRAM, "Build mathematics questions with computed or given final answers.", EXAMPLE
    )
    parser.add_argument("--output-dir", required=True, type=local_path, help="where the dataset goes")
    parser.add_argument("--categories", nargs="+", help="only these, in this order (all fourteen)")
    parser.add_argument(
        "--input", nargs="+", type=local_path, help="files or folders to read instead of making questions"
    )
    parser.add_argument("--test-input", nargs="+", type=local_path, help="those of the test split")
    parser.add_argument("--train-size", type=COUNT, help="training questions (10000; of files all)")
    parser.add_argument("--test-size", type=COUNT, help="test questions (1000; of files all of --test-input)")
    parser.add_argument(
        "--max-question-length",
        type=integer(16, 4096),
        help=f"characters; longer ones are left out ({QUESTION_LENGTH}; of files {FILE_QUESTION_LENGTH})",
    )
    parser.add_argument(
        "--max-answer-length",
        type=integer(1, 256),
        help=f"characters; longer ones are left out ({ANSWER_LENGTH}; of files {FILE_ANSWER_LENGTH})",
    )
    parser.add_builder_flags(seed=0)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    given = command_line().parse(arguments)
    _check(given)
    check_output(given.output_dir, given.overwrite)
    about, splits, tokens, sizes = _from_files(given) if given.input else _made(given)
    written = write_question_set(
        given.output_dir, about, splits, tokens, sizes, given.overwrite, given.command
    )
    print(summary(given.output_dir, written))
    for split, reasons in about.facts.get("left_out", {}).items():
        print(f"  left out of {split}: {_counts(reasons)}")


def _made(given: argparse.Namespace) -> tuple[About, Splits, TextTokens, Sizes]:
    categories = choose(CATEGORIES, given.categories, "--categories")
    sizes = Sizes(
        given.train_size or 10_000,
        given.test_size or 1000,
        given.max_question_length or QUESTION_LENGTH,
        given.max_answer_length or ANSWER_LENGTH,
    )
    drawn = draw_splits(categories, sizes, given.seed)
    splits = {split: interleaved(drawn, split) for split in ("train", "test")}
    facts = {"seed": given.seed, **family_facts("categories", categories, drawn)}
    return About("math", 1, "clean", SCORER, facts), splits, TextTokens(PRINTABLE), sizes


def _from_files(given: argparse.Namespace) -> tuple[About, Splits, TextTokens, Sizes]:
    limits = Sizes(
        0,
        0,
        given.max_question_length or FILE_QUESTION_LENGTH,
        given.max_answer_length or FILE_ANSWER_LENGTH,
    )
    read = read_splits(given.input, given.test_input, given.train_size, given.test_size, limits, given.seed)
    problems = [problem for split in read.splits.values() for problem in split]
    tokens = TextTokens.for_texts([PRINTABLE, *(text for problem in problems for text in problem)])
    longest = replace(
        limits,
        question_length=max(len(question) for question, _ in problems),
        answer_length=max(len(answer) for _, answer in problems),
    )
    return About(read.name, 1, "file", SCORER, read.facts), read.splits, tokens, longest


def _check(given: argparse.Namespace) -> None:
    """Refuse flags that contradict one another."""
    if given.input and given.categories:
        raise UserError("--categories together with --input", "one of the two", "drop --categories")
    if given.test_input and not given.input:
        raise UserError(
            "--test-input without --input",
            "--input TRAIN --test-input TEST",
            "name the training files by --input",
        )
    if given.input and not given.test_input and not given.test_size:
        raise UserError(
            given="--input without a test split",
            allowed="--test-input FILE, or --test-size N to draw N questions from --input",
            remedy="pass one of them",
        )


def _counts(reasons: dict[str, Any]) -> str:
    return ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons.items())
