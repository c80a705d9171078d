"""Build a dataset of one task of the library reasoning-gym: question in, answer slots masked, only the answer scored.

Run it with `python -m data.build_reasoning_gym_dataset --help`. The library comes with
`pip install -e ".[reasoning-gym]"`.
"""

import argparse
import ast
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trm.errors import UserError
from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path
from trm_lab.commands.progress import track
from trm_lab.puzzles.categories import Categories, by_range
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.reasoning_gym.process import CHUNK, Answer, Entry, ReasoningGym, place
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import Examples, check_output, summary, write_plain_dataset

GIVE_UP = 1000  # entries in a row without a new question
NONSENSE = "?"
_ENTRIES_AT_ONCE = 20  # divides CHUNK
_ENTRIES_MADE_TWICE = 50
PROGRAM = "python -m data.build_reasoning_gym_dataset"
EXAMPLE = """\
  python -m data.build_reasoning_gym_dataset --task gsm_symbolic --output-dir data/rg-gsm-symbolic
  python -m data.build_reasoning_gym_dataset --task n_queens --option n=6 --option max_remove=5 \\
      --train-size 400 --test-size 50 --output-dir data/rg-n-queens-6
  python -m data.build_reasoning_gym_dataset --task rubiks_cube --max-answer-length 1000 \\
      --output-dir data/rg-rubiks-cube"""


@dataclass
class Split:
    """Questions and answers of one split.

    places: the library's seed and index of each.  levels: what makes each difficult, as far as the library says.
    scanned: entries looked at, from the split's first on.
    left_out: how many of these, by reason.
    """

    questions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    levels: list[Mapping[str, int]] = field(default_factory=list)
    scanned: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def command_line() -> CommandLine:
    """The flags."""
    parser = CommandLine(PROGRAM, "Build a dataset of one task of reasoning-gym, scored by its verifier.", EXAMPLE)
    parser.add_argument("--task", required=True, help="the library's name of the task, such as gsm_symbolic")
    parser.add_argument("--output-dir", required=True, type=local_path, help="where the dataset goes")
    parser.add_argument("--train-size", type=COUNT, default=1000, help="questions, all different (1000)")
    parser.add_argument("--test-size", type=COUNT, default=200, help="questions, none of the training split's (200)")
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
        "--max-answer-length", type=integer(1, 65_536), default=256, help="longer ones are left out (256 characters)"
    )
    parser.add_builder_flags(seed=0)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = command_line().parse(arguments)
    check_output(flags.output_dir, flags.overwrite)
    gym = ReasoningGym(flags.task, dict(flags.option))
    used_questions: set[str] = set()
    splits = {  # test first, so that its questions do not depend on --train-size
        "test": _draw(gym, flags, "test", flags.test_size, used_questions),
        "train": _draw(gym, flags, "train", flags.train_size, used_questions),
    }
    _check_reproducible(gym, flags.seed, splits["test"].scanned)
    lenient = _count_nonsense(gym, splits["test"])
    written = _write(flags, gym, splits, lenient)
    print(summary(flags.output_dir, written))
    for name, split in splits.items():
        for reason, count in split.left_out.items():
            print(f"  {name}: {count:,} of {split.scanned:,} entries left out: {reason}")
    if lenient:
        print(f"  the library's verifier calls {NONSENSE!r} right on {lenient:,} of {flags.test_size:,} test questions")


def _draw(gym: ReasoningGym, flags: argparse.Namespace, name: str, size: int, used_questions: set[str]) -> Split:
    """`size` questions not in `used_questions`, of limited length, each with an answer that the verifier takes.

    Raises:
        UserError: the task seems to have no more questions that can be used.
    """
    split, entries = Split(), _entries(gym, flags.seed, name)
    for _ in track(range(size), f"{name} questions"):
        for entry in itertools.islice(entries, GIVE_UP):
            split.scanned += 1
            reason = _reason_to_leave_out(entry, flags, used_questions)
            if entry and entry.answer is not None and not reason:
                break
            split.left_out[reason] += 1
        else:
            raise _exhausted(gym, name, split)
        used_questions.add(entry.question)
        split.questions.append(entry.question)
        split.answers.append(entry.answer)
        split.levels.append(entry.levels)
        split.places.append(place(flags.seed, name, split.scanned - 1))
    return split


def _entries(gym: ReasoningGym, seed: int, split: str) -> Iterator[Entry | None]:
    for number in itertools.count(0, _ENTRIES_AT_ONCE):
        library_seed, index = place(seed, split, number)
        assert index + _ENTRIES_AT_ONCE <= CHUNK
        yield from gym.entries(library_seed, index, index + _ENTRIES_AT_ONCE, check=True)


def _reason_to_leave_out(entry: Entry | None, flags: argparse.Namespace, used_questions: set[str]) -> str:
    """Why an entry is left out; "" where it is not."""
    if entry is None:
        return "the library failed"
    if entry.question in used_questions:
        return "question seen before"
    if entry.answer is None:
        return "no reference answer"
    if len(entry.question) > flags.max_question_length:
        return f"question over {flags.max_question_length} characters"
    if len(entry.answer) > flags.max_answer_length:
        return f"answer over {flags.max_answer_length} characters"
    return "" if entry.verified else "reference answer refused by the verifier"


def _exhausted(gym: ReasoningGym, name: str, split: Split) -> UserError:
    reasons = ", ".join(f"{count} × {reason}" for reason, count in split.left_out.most_common())
    return UserError(
        given=f"task {gym.task}: {len(split.questions)} questions for the {name} split in {split.scanned} entries, "
        f"the last {GIVE_UP} of them in vain; left out: {reasons}",
        allowed="as many different questions as --train-size and --test-size ask for",
        remedy="ask for fewer, raise --max-question-length or --max-answer-length, or make the task wider "
        "with --option",
    )


def _check_reproducible(gym: ReasoningGym, seed: int, scanned: int) -> None:
    """Make the first test entries again in a new process.

    Raises:
        UserError: they differ, so that the dataset could be neither built again nor scored.
    """
    rows = min(scanned, _ENTRIES_MADE_TWICE)
    library_seed, _ = place(seed, "test", 0)
    entries = gym.entries(library_seed, 0, rows)
    if entries != ReasoningGym(gym.task, gym.options).entries(library_seed, 0, rows):
        raise UserError(
            given=f"task {gym.task} makes other entries of the same seed each time",
            allowed="a task that a seed determines",
            remedy="choose other --option values, or another task",
        )


def _count_nonsense(gym: ReasoningGym, split: Split) -> int:
    """How many of the questions have a verifier that gives full marks to NONSENSE.

    Raises:
        UserError: more than half of them (game_of_life_halting in 0.1.25: any answer that is not empty is right).
    """
    questions = zip(split.places, split.questions, strict=True)
    scores = gym.scores([Answer(*where, question, NONSENSE) for where, question in questions])
    count = scores.count(1.0)
    if 2 * count > len(scores):
        raise UserError(
            given=f"the verifier of task {gym.task} in reasoning-gym {gym.version} calls the answer "
            f"{NONSENSE!r} right on {count} of {len(scores)} test questions",
            allowed="a verifier that tells right from wrong",
            remedy="choose another task, or a version of the library where this is mended",
        )
    return count


def _write(flags: argparse.Namespace, gym: ReasoningGym, splits: dict[str, Split], lenient: int) -> Any:
    questions = [question for split in splits.values() for question in split.questions]
    answers = [answer for split in splits.values() for answer in split.answers]
    tokens = TextTokens.for_texts([*questions, *answers])
    lengths = max(map(len, questions)), max(map(len, answers)) + 1  # at least one END
    examples = {
        name: Examples(*tokens.encode_pairs(split.questions, split.answers, *lengths)) for name, split in splits.items()
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
            "seed": flags.seed,
            "disjoint_up_to": "the question's text",
            "test_scanned": splits["test"].scanned,
            "test_questions_where_nonsense_is_right": lenient,
            "left_out": {name: dict(split.left_out) for name, split in splits.items()},
            **tokens.facts(*lengths),
        },
    )
    return write_plain_dataset(
        flags.output_dir,
        about,
        examples,
        vocab_size=tokens.vocab_size,
        overwrite=flags.overwrite,
        command=flags.command,
        categories=_by_level({name: split.levels for name, split in splits.items()}),
    )


def _by_level(levels: Mapping[str, Sequence[Mapping[str, int]]]) -> Categories | None:
    """Tell questions apart by the first level that all have and in which they differ; None where there is none."""
    every = [of_question for of_split in levels.values() for of_question in of_split]
    for name in every[0]:
        values = [of_question.get(name) for of_question in every]
        if None not in values and len(set(values)) > 1:
            return by_range(
                name, {split: [of_question[name] for of_question in of_split] for split, of_split in levels.items()}
            )
    return None


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
