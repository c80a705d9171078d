"""Build a question-answer dataset: questions from templates, answers computed and masked in the input.

Run it with `python -m data.build_qa_dataset --help`.
"""

import argparse
from collections.abc import Sequence

from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.qa_levels import LEVELS, Level
from trm_lab.puzzles.text.question_sets import (
    PRINTABLE,
    SCORER,
    Sizes,
    choose,
    draw_splits,
    family_facts,
    interleaved,
    write_question_set,
)
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import check_output, summary

PROGRAM = "python -m data.build_qa_dataset"
EXAMPLE = """\
  python -m data.build_qa_dataset --output-dir data/qa-plain
  python -m data.build_qa_dataset --ultra-complex-small --families quantifiers records \\
      --train-size 50000 --test-size 2000 --output-dir data/qa-logic
families:
""" + "\n".join(f"  {level.name}: {' '.join(family.name for family in level.families)}" for level in LEVELS)
_HELP = {
    "plain": "one step: arithmetic, comparison, letters, calendar, sequences (the default)",
    "advanced": "two or three steps: relations, units, sets, prices, words",
    "ultra-complex": "several sentences: states to follow, programs, dates, families, logic",
    "ultra-complex-small": "the same with few entities and short texts",
}


def command_line() -> CommandLine:
    """The flags; those of the levels are the published ones."""
    parser = CommandLine(PROGRAM, "Build questions with computed answers, of one of four levels.", EXAMPLE)
    parser.add_argument("--output-dir", required=True, type=local_path, help="where the dataset goes")
    levels = parser.add_mutually_exclusive_group()
    for level in LEVELS:
        levels.add_argument(
            f"--{level.name}", dest="level", action="store_const", const=level, help=_HELP[level.name]
        )
    parser.set_defaults(level=LEVELS[0])
    parser.add_argument("--families", nargs="+", help="only these, in this order (all of the level's)")
    parser.add_argument("--train-size", type=COUNT, default=10_000, help="training questions (10000)")
    parser.add_argument("--test-size", type=COUNT, default=1000, help="test questions (1000)")
    parser.add_argument(
        "--max-question-length", type=integer(16, 4096), help="characters; longer ones are not asked"
    )
    parser.add_argument("--max-answer-length", type=integer(1, 256), help="characters; answer slots")
    parser.add_builder_flags(seed=0)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    given = command_line().parse(arguments)
    check_output(given.output_dir, given.overwrite)
    level: Level = given.level
    families = choose(level.families, given.families, "--families")
    sizes = _sizes(given, level)
    drawn = draw_splits(families, sizes, given.seed)
    splits = {split: interleaved(drawn, split) for split in ("train", "test")}
    facts = {"level": level.name, "seed": given.seed, **family_facts("families", families, drawn)}
    about = About(f"qa-{level.name}", 1, "clean", SCORER, facts)
    written = write_question_set(
        given.output_dir, about, splits, TextTokens(PRINTABLE), sizes, given.overwrite, given.command
    )
    print(summary(given.output_dir, written))


def _sizes(given: argparse.Namespace, level: Level) -> Sizes:
    return Sizes(
        given.train_size,
        given.test_size,
        given.max_question_length or level.question_length,
        given.max_answer_length or level.answer_length,
    )
