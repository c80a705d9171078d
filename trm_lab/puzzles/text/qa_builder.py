"""Build a question-answer dataset: questions from templates, answers computed and masked in the input.

Run it with `python -m data.build_qa_dataset --help`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.qa_advanced import ADVANCED
from trm_lab.puzzles.text.qa_deductions import elimination, kinship, quantifiers, records, truth_tellers
from trm_lab.puzzles.text.qa_plain import PLAIN
from trm_lab.puzzles.text.qa_stories import dates, inventory, program, robot, swaps, whereabouts, word_program
from trm_lab.puzzles.text.question_sets import PRINTABLE, SCORER, Sizes, choose, draw_question_set, write_question_set
from trm_lab.puzzles.text.questions import Family
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import check_output, summary


@dataclass(frozen=True)
class Level:
    """One of the four levels of difficulty.

    question_length, answer_length: characters; longer questions are not asked.
    """

    name: str
    help: str
    families: tuple[Family, ...]
    question_length: int
    answer_length: int


_ULTRA_COMPLEX = (
    inventory(4, 5), robot(5), program(6), swaps(4, 5), whereabouts(3, 5), word_program(4), dates(4),
    kinship(4), quantifiers(5), truth_tellers(5), records(6), elimination(4),
)  # fmt: skip
_ULTRA_COMPLEX_SMALL = (
    inventory(2, 2), robot(2), program(3), swaps(3, 2), whereabouts(2, 2), word_program(2), dates(2),
    kinship(2), quantifiers(3), truth_tellers(3), records(3), elimination(3),
)  # fmt: skip
LEVELS = (
    Level("plain", "one step: arithmetic, comparison, letters, calendar, sequences (the default)", PLAIN, 64, 12),
    Level("advanced", "two or three steps: relations, units, sets, prices, words", ADVANCED, 160, 16),
    Level(
        "ultra-complex", "several sentences: states to follow, programs, dates, families, logic",
        _ULTRA_COMPLEX, 256, 20,
    ),
    Level("ultra-complex-small", "the same with few entities and short texts", _ULTRA_COMPLEX_SMALL, 140, 20),
)  # fmt: skip
PROGRAM = "python -m data.build_qa_dataset"
EXAMPLE = """\
  python -m data.build_qa_dataset --output-dir data/qa-plain
  python -m data.build_qa_dataset --ultra-complex-small --families quantifiers records \\
      --train-size 50000 --test-size 2000 --output-dir data/qa-logic
families:
""" + "\n".join(f"  {level.name}: {' '.join(family.name for family in level.families)}" for level in LEVELS)


def command_line() -> CommandLine:
    """The flags; those of the levels are the published ones."""
    parser = CommandLine(PROGRAM, "Build questions with computed answers, of one of four levels.", EXAMPLE)
    parser.add_argument("--output-dir", required=True, type=local_path, help="where the dataset goes")
    levels = parser.add_mutually_exclusive_group()
    for level in LEVELS:
        levels.add_argument(f"--{level.name}", dest="level", action="store_const", const=level, help=level.help)
    parser.set_defaults(level=LEVELS[0])
    parser.add_argument("--families", nargs="+", help="only these, in this order (all of the level's)")
    parser.add_argument("--train-size", type=COUNT, default=10_000, help="training questions (10000)")
    parser.add_argument("--test-size", type=COUNT, default=1000, help="test questions (1000)")
    parser.add_argument("--max-question-length", type=integer(16, 4096), help="characters; longer ones are not asked")
    parser.add_argument("--max-answer-length", type=integer(1, 256), help="characters; answer slots")
    parser.add_builder_flags(seed=0)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = command_line().parse(arguments)
    check_output(flags.output_dir, flags.overwrite)
    level: Level = flags.level
    families = choose(level.families, flags.families, "--families")
    sizes = Sizes(
        flags.train_size,
        flags.test_size,
        flags.max_question_length or level.question_length,
        flags.max_answer_length or level.answer_length,
    )
    splits, facts, family_of = draw_question_set("families", families, sizes, flags.seed)
    about = About(f"qa-{level.name}", 1, "clean", SCORER, {"level": level.name, "seed": flags.seed, **facts})
    tokens = TextTokens(PRINTABLE)
    written = write_question_set(
        flags.output_dir, about, splits, tokens, sizes, flags.overwrite, flags.command, "family", family_of
    )
    print(summary(flags.output_dir, written))
