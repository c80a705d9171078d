"""Build a mathematics dataset: made here over fourteen categories, or read from files in the form of GSM8K or MATH.

Run it with `python -m data.build_math_gsm8k_dataset --help`.
"""

import argparse
from collections.abc import Sequence

from trm.errors import UserError
from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.math_applied import APPLIED_CATEGORIES
from trm_lab.puzzles.text.math_files import read_splits
from trm_lab.puzzles.text.math_numbers import NUMBER_CATEGORIES
from trm_lab.puzzles.text.math_symbols import SYMBOL_CATEGORIES
from trm_lab.puzzles.text.question_sets import (
    PRINTABLE,
    SCORER,
    Sizes,
    Splits,
    choose,
    draw_question_set,
    write_question_set,
)
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import check_output, summary

CATEGORIES = (*NUMBER_CATEGORIES, *SYMBOL_CATEGORIES, *APPLIED_CATEGORIES)
QUESTION_LENGTH, ANSWER_LENGTH = 176, 24  # characters; longer questions are not asked
FILE_QUESTION_LENGTH, FILE_ANSWER_LENGTH = 512, 32
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
    parser = CommandLine(PROGRAM, "Build mathematics questions with computed or given final answers.", EXAMPLE)
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
    flags = command_line().parse(arguments)
    _check(flags)
    check_output(flags.output_dir, flags.overwrite)
    about, splits, tokens, sizes, category_of = _from_files(flags) if flags.input else _from_templates(flags)
    written = write_question_set(
        flags.output_dir, about, splits, tokens, sizes, flags.overwrite, flags.command, "category", category_of
    )
    print(summary(flags.output_dir, written))
    for split, reasons in about.facts.get("left_out", {}).items():
        counts = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons.items())
        print(f"  left out of {split}: {counts}")


def _from_templates(flags: argparse.Namespace) -> tuple[About, Splits, TextTokens, Sizes, dict[str, str]]:
    categories = choose(CATEGORIES, flags.categories, "--categories")
    sizes = Sizes(
        flags.train_size or 10_000,
        flags.test_size or 1000,
        flags.max_question_length or QUESTION_LENGTH,
        flags.max_answer_length or ANSWER_LENGTH,
    )
    splits, facts, category_of = draw_question_set("categories", categories, sizes, flags.seed)
    about = About("math", 1, "clean", SCORER, {"seed": flags.seed, **facts})
    return about, splits, TextTokens(PRINTABLE), sizes, category_of


def _from_files(flags: argparse.Namespace) -> tuple[About, Splits, TextTokens, Sizes, dict[str, str]]:
    limits = Sizes(
        0, 0, flags.max_question_length or FILE_QUESTION_LENGTH, flags.max_answer_length or FILE_ANSWER_LENGTH
    )
    about, splits, category_of = read_splits(
        flags.input, flags.test_input, flags.train_size, flags.test_size, limits, flags.seed
    )
    questions, answers = zip(*splits["train"], *splits["test"], strict=True)
    tokens = TextTokens.for_texts([PRINTABLE, *questions, *answers])
    longest = Sizes(0, 0, max(map(len, questions)), max(map(len, answers)))
    return about, splits, tokens, longest, category_of


def _check(flags: argparse.Namespace) -> None:
    """Refuse flags that contradict one another."""
    if flags.input and flags.categories:
        raise UserError("--categories together with --input", "one of the two", "drop --categories")
    if flags.test_input and not flags.input:
        raise UserError(
            "--test-input without --input", "--input TRAIN --test-input TEST", "name the training files by --input"
        )
    if flags.input and not flags.test_input and not flags.test_size:
        raise UserError(
            given="--input without a test split",
            allowed="--test-input FILE, or --test-size N to draw N questions from --input",
            remedy="pass one of them",
        )
