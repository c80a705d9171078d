"""Build a maze dataset: Maze-Hard as published, or mazes made here that have one shortest path.

The answer is the maze with the cells of a shortest path marked. Of a published maze with several shortest paths the
label is one; the dataset's scorer counts any of them.
Run it with `python -m data.build_maze_dataset --help`.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.command_line import COUNT, CommandLine, integer, local_path, name
from trm_lab.puzzles.categories import by_range
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.files import Mazes, read_mazes
from trm_lab.puzzles.maze.generation import HARD_LENGTH, HARD_SIDE, MazeKind, generate_mazes, hard_length
from trm_lab.puzzles.maze.reveal_order import path_rounds
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS
from trm_lab.puzzles.published_csv import bad_record, published_files
from trm_lab.puzzles.square_symmetries import images
from trm_lab.puzzles.writer import Examples, build_plain_dataset, check_output

DEFAULT_REPO = "sapientinc/maze-30x30-hard-1k"
LARGEST = 128
EXAMPLE = """\
  python -m data.build_maze_dataset --output-dir data/maze-30x30-hard-1k --aug
  python -m data.build_maze_dataset --source downloads/maze-30x30-hard-1k
mazes made here, without any download:
  python -m data.build_maze_dataset --generate --output-dir data/maze-30x30-generated
  python -m data.build_maze_dataset --generate --size 11 --train-size 5000 --loops 3"""
# flag: its value where it is not given; these shape generated mazes, and PUBLISHED_FLAGS the published ones only
GENERATED_FLAGS: dict[str, int | None] = {"size": HARD_SIDE, "train_size": 1000, "min_length": None, "loops": 0}
PUBLISHED_FLAGS: dict[str, str | None] = {"source": None, "source_repo": DEFAULT_REPO, "subsample_size": None}
GENERATED_TEST_SIZE = 1000


def command_line() -> CommandLine:
    """The flags; the published ones keep their names."""
    parser = CommandLine(
        "python -m data.build_maze_dataset", "Build a maze dataset: find a shortest path from S to G.", EXAMPLE
    )
    parser.add_argument("--output-dir", type=local_path, help="where the dataset goes (data/maze-30x30-hard-1k)")
    parser.add_argument("--source-repo", type=name, help=f"dataset on the Hugging Face Hub ({DEFAULT_REPO})")
    parser.add_argument("--source", type=local_path, help="folder with its train.csv and test.csv; nothing is fetched")
    parser.add_argument("--subsample-size", type=COUNT, help="training mazes to keep, drawn at random (all)")
    parser.add_argument(
        "--aug", action="store_true", help="train on the 8 turns and mirror images of each maze, as one group"
    )
    parser.add_argument("--generate", action="store_true", help="make mazes that have one shortest path")
    parser.add_argument("--size", type=integer(3, LARGEST), help=f"side of generated mazes ({HARD_SIDE})")
    parser.add_argument("--train-size", type=COUNT, help="generated training mazes (1000)")
    parser.add_argument(
        "--test-size",
        type=COUNT,
        help="test mazes, generated (1000) or kept of the published ones, drawn at random (all)",
    )
    parser.add_argument(
        "--min-length", type=COUNT, help=f"fewest steps from S to G ({HARD_LENGTH} at {HARD_SIDE}, size^1.25)"
    )
    parser.add_argument("--loops", type=integer(0, LARGEST**2), help="openings that close a loop, in each maze (0)")
    parser.add_steps_flag()
    parser.add_builder_flags(seed=42)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = _filled(command_line().parse(arguments))
    check_output(flags.output_dir, flags.overwrite)
    mazes, facts = _generated(flags) if flags.generate else _published(flags)
    train, test = mazes["train"], mazes["test"]
    side = train.questions.shape[1]
    about = About(
        name=f"maze-{side}x{side}",
        version=1,
        protocol="generated" if flags.generate else "published",
        scorer="maze",
        facts={"side": side, "seed": flags.seed, "aug": flags.aug, **facts, **_path_facts(mazes)},
    )
    splits = {
        "train": _training_examples(train, flags.aug),
        "test": Examples(_rows(test.questions), _rows(test.answers)),
    }
    steps = {name: np.repeat(some.lengths(), len(splits[name].inputs) // len(some)) for name, some in mazes.items()}
    categories = by_range("steps from start to goal", steps)
    build_plain_dataset(flags, about, splits, vocab_size=len(MAZE_CHARACTERS), categories=categories)
    several = about.facts["mazes_with_several_shortest_paths"]["test"]
    print(f"  {several} of {len(test)} test mazes have several shortest paths")
    if not flags.generate:
        alike = about.facts["test_mazes_in_training_up_to_symmetry"]
        print(f"  {alike} of {len(test)} test mazes are turns or mirror images of training mazes")


def _filled(flags: argparse.Namespace) -> argparse.Namespace:
    """The flags, with their values where they were not given."""
    own, foreign = (GENERATED_FLAGS, PUBLISHED_FLAGS) if flags.generate else (PUBLISHED_FLAGS, GENERATED_FLAGS)
    misplaced = [f"--{flag.replace('_', '-')}" for flag in foreign if getattr(flags, flag) is not None]
    if misplaced:
        raise UserError(
            given=f"{' '.join(misplaced)} {'with' if flags.generate else 'without'} --generate",
            allowed="--source, --source-repo and --subsample-size for published mazes; --size, --train-size, "
            "--min-length and --loops with --generate",
            remedy="drop these flags, or " + ("drop --generate" if flags.generate else "add --generate"),
        )
    if flags.source is not None and flags.source_repo is not None:
        raise UserError(
            given=f"--source {flags.source} reads no repository, but --source-repo {flags.source_repo} names one",
            allowed="one of the two",
            remedy="drop one of the two flags",
        )
    for flag, value in own.items():
        if getattr(flags, flag) is None:
            setattr(flags, flag, value)
    if flags.output_dir is None:
        name = f"maze-{flags.size}x{flags.size}-generated" if flags.generate else DEFAULT_REPO.split("/")[1]
        flags.output_dir = Path("data") / name
    return flags


def _generated(flags: argparse.Namespace) -> tuple[dict[str, Mazes], dict[str, Any]]:
    test_size = flags.test_size or GENERATED_TEST_SIZE
    length = hard_length(flags.size) if flags.min_length is None else flags.min_length
    kind = MazeKind(flags.size, length, flags.loops)
    questions, answers = generate_mazes(kind, flags.train_size + test_size, flags.seed)
    mazes = Mazes(questions, answers, [1] * len(questions))
    places = range(len(mazes))
    splits = {"train": mazes.chosen(places[: flags.train_size]), "test": mazes.chosen(places[flags.train_size :])}
    return splits, {"algorithm": "wilson", "min_length": length, "loops": flags.loops}


def _published(flags: argparse.Namespace) -> tuple[dict[str, Mazes], dict[str, Any]]:
    mazes = read_mazes(published_files(flags.source, flags.source_repo))
    for split, flag, size in (
        ("train", "--subsample-size", flags.subsample_size),
        ("test", "--test-size", flags.test_size),
    ):
        total = len(mazes[split])
        if size is not None and size > total:
            raise UserError(
                given=f"{flag} {size}, of {total} {split} mazes",
                allowed=f"up to {total}",
                remedy="choose fewer, or drop the flag to keep all",
            )
        if size is not None:
            generator = numpy_generator(flags.seed, "maze subsample" if split == "train" else "maze test sample")
            mazes[split] = mazes[split].chosen(generator.choice(total, size, replace=False).tolist())
    images_in_training = mazes["test"].images_among(mazes["train"])
    if images_in_training and flags.aug:
        test, train = images_in_training[0]
        raise bad_record(
            mazes["test"].places[test],
            f"a turn or mirror image of {mazes['train'].places[train]}, and --aug trains on all of those; "
            f"{len(images_in_training):,} of {len(mazes['test']):,} test mazes are such images",
            "with --aug, test mazes that are no images of training mazes",
        )
    facts = {} if flags.test_size is None else {"test_size": flags.test_size}
    facts |= {"subsample_size": flags.subsample_size, "test_mazes_in_training_up_to_symmetry": len(images_in_training)}
    return mazes, facts


def _path_facts(mazes: Mapping[str, Mazes]) -> dict[str, Any]:
    lengths = {split: some.lengths() for split, some in mazes.items()}
    return {
        "path_lengths": {
            split: {"least": int(steps.min()), "mean": round(float(steps.mean()), 3), "most": int(steps.max())}
            for split, steps in lengths.items()
        },
        "mazes_with_several_shortest_paths": {
            split: sum(paths > 1 for paths in some.shortest_paths) for split, some in mazes.items()
        },
    }


def _training_examples(mazes: Mazes, aug: bool) -> Examples:
    squares = [mazes.questions, mazes.answers, path_rounds(mazes.questions, mazes.answers)]
    if aug:
        squares = [images(each) for each in squares]  # [E, 8, n, n]
    inputs, labels, order = map(_rows, squares)
    return Examples(inputs, labels, np.full(len(mazes), len(inputs) // len(mazes)), order)


def _rows(squares: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`[..., n, n]` as `[E, n·n]`."""
    return np.ascontiguousarray(squares).reshape(-1, squares.shape[-1] ** 2)
