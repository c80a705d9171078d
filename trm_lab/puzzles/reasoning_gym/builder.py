"""Build a dataset of one task of the library reasoning-gym: question in, answer slots masked, only the answer scored.

Run it with `python -m data.build_reasoning_gym_dataset --help`. The library comes with
`pip install -e ".[reasoning-gym]"`.
"""

import argparse
import ast
import json
from collections.abc import Sequence
from typing import Any

from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path
from trm_lab.commands.progress import track
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.reasoning_gym.process import ReasoningGym
from trm_lab.puzzles.reasoning_gym.questions import NONSENSE, Drawn, Limits, QuestionSource
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import Examples, check_output, summary, write_plain_dataset

PROGRAM = "python -m data.build_reasoning_gym_dataset"
EXAMPLE = """\
  python -m data.build_reasoning_gym_dataset --task gsm_symbolic --output-dir data/rg-gsm-symbolic
  python -m data.build_reasoning_gym_dataset --task n_queens --option n=6 --option max_remove=5 \\
      --train-size 400 --test-size 50 --output-dir data/rg-n-queens-6
  python -m data.build_reasoning_gym_dataset --task rubiks_cube --max-answer-length 1000 \\
      --output-dir data/rg-rubiks-cube"""


def command_line() -> CommandLine:
    """The flags."""
    parser = CommandLine(
        PROGRAM, "Build a dataset of one task of reasoning-gym, scored by its verifier.", EXAMPLE
    )
    parser.add_argument("--task", required=True, help="the library's name of the task, such as gsm_symbolic")
    parser.add_argument("--output-dir", required=True, type=local_path, help="where the dataset goes")
    parser.add_argument("--train-size", type=COUNT, default=1000, help="questions, all different (1000)")
    parser.add_argument(
        "--test-size", type=COUNT, default=200, help="questions, none of the training split's (200)"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=_option,
        metavar="KEY=VALUE",
        help="of the task's configuration in the library; may be repeated",
    )
    parser.add_argument(
        "--max-question-length",
        type=integer(1, 65_536),
        default=1024,
        help="longer ones are left out (1024 characters)",
    )
    parser.add_argument(
        "--max-answer-length",
        type=integer(1, 65_536),
        default=256,
        help="longer ones are left out (256 characters)",
    )
    parser.add_builder_flags(seed=0)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    given = command_line().parse(arguments)
    check_output(given.output_dir, given.overwrite)
    gym = ReasoningGym(given.task, dict(given.option))
    limits = Limits(given.max_question_length, given.max_answer_length)
    source = QuestionSource(gym, given.seed, limits)
    drawn = {"test": Drawn(), "train": Drawn()}  # test first, which is the smaller
    for split, size in (("test", given.test_size), ("train", given.train_size)):
        steps = source.draw(split, drawn[split])
        for _ in track(range(size), f"{split} questions"):
            next(steps)
    source.check_reproducible("test", drawn["test"])
    taken = source.nonsense_taken(drawn["test"])
    written = _write(given, gym, drawn, taken)
    print(summary(given.output_dir, written))
    for split, part in drawn.items():
        for reason, count in part.left_out.items():
            print(f"  {split}: {count:,} of {part.scanned:,} entries left out: {reason}")
    if taken:
        print(
            f"  the library's verifier calls {NONSENSE!r} right on {taken:,} of {given.test_size:,} test questions"
        )


def _write(given: argparse.Namespace, gym: ReasoningGym, drawn: dict[str, Drawn], taken: int) -> Any:
    questions = [question for part in drawn.values() for question in part.questions]
    answers = [answer for part in drawn.values() for answer in part.answers]
    tokens = TextTokens.for_texts([*questions, *answers])
    question_length = max(map(len, questions))
    answer_length = max(map(len, answers)) + 1  # at least one END
    splits = {
        name: Examples(*tokens.encode_pairs(part.questions, part.answers, question_length, answer_length))
        for name, part in drawn.items()
    }
    about = About(
        name=f"reasoning-gym-{gym.task}",
        version=1,
        protocol="clean",
        scorer="reasoning_gym",
        facts={
            "task": gym.task,
            "options": gym.options,
            "library": f"reasoning-gym {gym.version}",
            "seed": given.seed,
            "disjoint_up_to": "the question's text",
            "test_scanned": drawn["test"].scanned,
            "test_questions_where_nonsense_is_right": taken,
            "left_out": {name: dict(part.left_out) for name, part in drawn.items()},
            **tokens.facts(question_length, answer_length),
        },
    )
    return write_plain_dataset(
        given.output_dir,
        about,
        splits,
        vocab_size=tokens.vocab_size,
        overwrite=given.overwrite,
        command=given.command,
    )


def _option(text: str) -> tuple[str, Any]:
    """`key=value`, the value as JSON or Python writes it, or else as it stands."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE, such as n=6")
    for read in (json.loads, ast.literal_eval):
        try:
            return key, read(value)
        except (ValueError, SyntaxError):
            continue
    return key, value
