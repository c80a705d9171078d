"""Build Sudoku-Extreme as published: questions of `train.csv` with random symmetric images, all of `test.csv`.

The images of a question are drawn independently, as published: an image may occur twice. The release promises that
every question has one solution, and that no test question is equivalent to a training question. Here a question with
several solutions is refused (of many questions a sample is solved), and so is a test question that stands among the
training questions that are kept and their images. Run it with `python -m data.build_sudoku_dataset --help`.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.command_line import AUGMENTATIONS, COUNT, CommandLine, integer, local_path, name
from trm_lab.commands.progress import track
from trm_lab.puzzles.manifest import About, digest
from trm_lab.puzzles.published_csv import bad_record, place, published_files
from trm_lab.puzzles.sudoku.files import GEOMETRY, Records, check_unique, read_records
from trm_lab.puzzles.sudoku.geometry import Digits
from trm_lab.puzzles.sudoku.nxn_builder import by_givens
from trm_lab.puzzles.sudoku.reveal_order import deduction_rounds
from trm_lab.puzzles.sudoku.symmetries import draw_symmetries
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK
from trm_lab.puzzles.writer import Examples, build_plain_dataset, check_output, shared_questions

VOCAB_SIZE = 11
DEFAULT_REPO = "sapientinc/sudoku-extreme"
DEFAULT_OUTPUT = Path("data/sudoku-extreme-full")
_TOGETHER = 8192  # images made at once
UNIQUE_SAMPLE = {"train": 20_000, "test": 1000}  # questions solved at most, unless --check-unique is given
EXAMPLE = """\
  python -m data.build_sudoku_dataset --subsample-size 1000 --num-aug 1000 \\
      --output-dir data/sudoku-extreme-1k-aug-1000
from files that are already here (train.csv and test.csv), without network:
  python -m data.build_sudoku_dataset --source downloads/sudoku-extreme --subsample-size 1000"""


def command_line() -> CommandLine:
    """The flags; the published ones keep their names."""
    parser = CommandLine(
        "python -m data.build_sudoku_dataset",
        "Build Sudoku-Extreme: 9×9 sudokus from CSV files, with random symmetric images of the training questions.",
        EXAMPLE,
    )
    parser.add_argument(
        "--output-dir", type=local_path, default=DEFAULT_OUTPUT, help=f"where the dataset goes ({DEFAULT_OUTPUT})"
    )
    parser.add_argument("--source-repo", type=name, help=f"a dataset of the Hugging Face hub ({DEFAULT_REPO})")
    parser.add_argument("--source", type=local_path, help="a folder with train.csv and test.csv; no network")
    parser.add_argument("--subsample-size", type=COUNT, help="training questions kept, at random (all)")
    parser.add_argument("--test-size", type=COUNT, help="test questions kept, at random (all)")
    parser.add_argument(
        "--min-difficulty", type=integer(0, 10**6), help="keep records of this rating or more, in both splits (all)"
    )
    parser.add_argument(
        "--num-aug", type=AUGMENTATIONS, default=0, help="images of each training question beside it (0)"
    )
    parser.add_argument(
        "--allow-overlap",
        action="store_true",
        help="build with test questions that are among the training questions or their images, and count them",
    )
    unique = parser.add_mutually_exclusive_group()
    unique.add_argument(
        "--check-unique",
        action="store_const",
        const="all",
        default="sample",
        help="solve every question, to refuse one with several solutions, instead of up to "
        f"{UNIQUE_SAMPLE['train']:,} kept training questions and {UNIQUE_SAMPLE['test']:,} test questions drawn by the "
        "seed; 200 (of the hardest) to 30,000 a second, so some ten minutes for the published test split",
    )
    unique.add_argument(
        "--no-check-unique",
        dest="check_unique",
        action="store_const",
        const="none",
        default="sample",
        help="solve none of them",
    )
    parser.add_steps_flag()
    parser.add_builder_flags(seed=42)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = command_line().parse(arguments)
    if flags.source is not None and flags.source_repo is not None:
        raise UserError(
            given=f"both --source {flags.source} and --source-repo {flags.source_repo}",
            allowed="one of them: files that are here, or a dataset of the hub",
            remedy="drop one of the two flags",
        )
    check_output(flags.output_dir, flags.overwrite)
    repo = flags.source_repo or DEFAULT_REPO
    files = published_files(flags.source, repo)
    records = {
        "train": _selected(files["train"], flags.min_difficulty, flags.subsample_size, flags.seed),
        "test": _selected(files["test"], flags.min_difficulty, flags.test_size, flags.seed, "--test-size"),
    }
    to_solve = {split: _sample(part, split, flags) for split, part in records.items()}
    for split, part in to_solve.items():
        check_unique(files[split], part)
    train, test = records["train"], records["test"]
    splits = {
        "train": _with_images(train, flags.num_aug, flags.seed),
        "test": Examples(test.questions + SUDOKU_BLANK, test.answers + SUDOKU_BLANK),
    }
    shared = shared_questions(splits["train"].inputs, splits["test"].inputs)
    if shared and not flags.allow_overlap:
        raise _overlap(files, records, shared, 1 + flags.num_aug)
    checked = {split: len(part) for split, part in to_solve.items()}
    about = _about(flags, repo, files.values(), len(shared), checked)
    # an overlap was refused or counted above
    build_plain_dataset(flags, about, splits, vocab_size=VOCAB_SIZE, allow_overlap=True, categories=by_givens(splits))
    print(
        f"  solved, each with one solution: {checked['train']:,} of {len(train):,} training questions, "
        f"{checked['test']:,} of {len(test):,} test questions"
    )


def _overlap(
    files: Mapping[str, Path], records: Mapping[str, Records], shared: Sequence[tuple[int, int]], images: int
) -> UserError:
    """The error for `shared` (test question, training example), a training question having so many `images`."""
    number, example = shared[0]
    question, image = divmod(example, images)
    original = place(files["train"], int(records["train"].lines[question]))
    return bad_record(
        place(files["test"], int(records["test"].lines[number])),
        f"the question stands in training too, {'as an image of ' if image else ''}{original}; {len(shared):,} of "
        f"{len(records['test']):,} test questions do",
        "a test split of its own, or --allow-overlap to build and count them",
    )


def _about(flags: argparse.Namespace, repo: str, files: Iterable[Path], shared: int, checked: dict[str, int]) -> About:
    facts = {
        "size": GEOMETRY.size,
        "box_rows": GEOMETRY.box_rows,
        "box_columns": GEOMETRY.box_columns,
        "seed": flags.seed,
        "source": "local files" if flags.source else repo,
        "source_sha256": {file.name: digest(file) for file in files},
        "subsample_size": flags.subsample_size,
        "min_difficulty": flags.min_difficulty,
        "num_aug": flags.num_aug,
        "images_may_repeat": True,
        "unique_checked": checked,
        "shared_questions": shared,
    }
    facts |= {} if flags.test_size is None else {"test_size": flags.test_size}
    return About("sudoku-extreme", version=1, protocol="published", scorer="sudoku", facts=facts)


def _selected(
    file: Path, min_difficulty: int | None, sample: int | None, seed: int, flag: str = "--subsample-size"
) -> Records:
    """The file's records of enough difficulty, or a uniform sample of them, in memory for the sample alone.

    Each record gets a random number; the sample has the least ones. flag: that says how large it is.
    """
    generator = numpy_generator(seed, "sudoku sample" if flag == "--subsample-size" else "sudoku test sample")
    parts: list[Records] = []
    numbers = np.empty(0)
    count = 0
    for records in read_records(file):
        hard = records.take(records.ratings >= (min_difficulty or 0))
        count += len(hard)
        parts.append(hard)
        if sample is not None:
            numbers = np.concatenate([numbers, generator.random(len(hard))])
            least = np.argsort(numbers, kind="stable")[:sample]
            parts, numbers = [Records.joined(parts).take(least)], numbers[least]
    if count < (sample or 1):
        fewer = [flag] if sample is not None and count else []
        easier = ["--min-difficulty"] if min_difficulty is not None else []
        raise UserError(
            given=f"{file} has {count:,} records" + (f" of rating {min_difficulty} or more" if easier else ""),
            allowed=f"at least {sample or 1:,}",
            remedy=f"lower {' or '.join(fewer + easier)}",
        )
    return Records.joined(parts)


def _sample(records: Records, split: str, flags: argparse.Namespace) -> Records:
    """The records whose questions are to be solved, in the order of the file."""
    most = {"all": len(records), "none": 0, "sample": UNIQUE_SAMPLE[split]}[flags.check_unique]
    if most >= len(records):
        return records
    generator = numpy_generator(flags.seed, f"sudoku questions to solve/{split}")
    return records.take(np.sort(generator.choice(len(records), most, replace=False)))


def _with_images(train: Records, num_aug: int, seed: int) -> Examples:
    """Each question, its `num_aug` images after it, as a group."""
    base_order = deduction_rounds(GEOMETRY, train.questions, train.answers)
    generator = numpy_generator(seed, "sudoku images")
    shape = (len(train), 1 + num_aug, GEOMETRY.cells)
    inputs, labels, order = (np.empty(shape, np.uint8) for _ in range(3))
    inputs[:, 0], labels[:, 0], order[:, 0] = train.questions, train.answers, base_order
    questions = max(1, _TOGETHER // (1 + num_aug))
    starts = range(0, len(train), questions) if num_aug else range(0)
    for start in track(starts, "drawing images"):
        part = slice(start, start + questions)
        repeated = np.repeat(np.arange(len(train))[part], num_aug)
        images = draw_symmetries(GEOMETRY, len(repeated), generator)
        for tokens, boards in ((inputs, train.questions), (labels, train.answers)):
            tokens[part, 1:] = images.apply(boards[repeated]).reshape(-1, num_aug, GEOMETRY.cells)
        order[part, 1:] = images.move(base_order[repeated]).reshape(-1, num_aug, GEOMETRY.cells)

    def tokens_of(digits: Digits) -> Digits:
        digits += SUDOKU_BLANK
        return digits.reshape(-1, GEOMETRY.cells)

    sizes = np.full(len(train), 1 + num_aug)
    return Examples(tokens_of(inputs), tokens_of(labels), sizes, order.reshape(-1, GEOMETRY.cells))
