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
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.files import Mazes, read_mazes
from trm_lab.puzzles.maze.generation import HARD_LENGTH, HARD_SIDE, MazeKind, generate_mazes, hard_length
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS
from trm_lab.puzzles.published_csv import bad_record, published_files
from trm_lab.puzzles.square_symmetries import images
from trm_lab.puzzles.writer import Examples, check_output, summary, write_plain_dataset

DEFAULT_REPO = "sapientinc/maze-30x30-hard-1k"
LARGEST = 128
EXAMPLE = """\
  python -m data.build_maze_dataset --output-dir data/maze-30x30-hard-1k --aug
  python -m data.build_maze_dataset --source downloads/maze-30x30-hard-1k
mazes made here, without any download:
  python -m data.build_maze_dataset --generate --output-dir data/maze-30x30-generated
  python -m data.build_maze_dataset --generate --size 11 --train-size 5000 --loops 3"""
# flag: its value where it is not given; these shape generated mazes, and PUBLISHED_FLAGS the published ones only
GENERATED_FLAGS: dict[str, int | None] = {
    "size": HARD_SIDE,
    "train_size": 1000,
    "test_size": 1000,
    "min_length": None,
    "loops": 0,
}
PUBLISHED_FLAGS: dict[str, str | None] = {
    "source": None,
    "source_repo": DEFAULT_REPO,
    "subsample_size": None,
}


def command_line() -> CommandLine:
    """The flags; the published ones keep their names."""
    parser = CommandLine(
        "python -m data.build_maze_dataset",
        "Build a maze dataset: find a shortest path from S to G.",
        EXAMPLE,
    )
    parser.add_argument(
        "--output-dir", type=local_path, help="where the dataset goes (data/maze-30x30-hard-1k)"
    )
    parser.add_argument("--source-repo", type=name, help=f"dataset on the Hugging Face Hub ({DEFAULT_REPO})")
    parser.add_argument(
        "--source", type=local_path, help="folder with its train.csv and test.csv; nothing is fetched"
    )
    parser.add_argument("--subsample-size", type=COUNT, help="training mazes to keep, drawn at random (all)")
    parser.add_argument(
        "--aug", action="store_true", help="train on the 8 turns and mirror images of each maze, as one group"
    )
    parser.add_argument("--generate", action="store_true", help="make mazes that have one shortest path")
    parser.add_argument("--size", type=integer(3, LARGEST), help=f"side of generated mazes ({HARD_SIDE})")
    parser.add_argument("--train-size", type=COUNT, help="generated training mazes (1000)")
    parser.add_argument("--test-size", type=COUNT, help="generated test mazes (1000)")
    parser.add_argument(
        "--min-length",
        type=COUNT,
        help=f"fewest steps from S to G ({HARD_LENGTH} at {HARD_SIDE}, size^1.25)",
    )
    parser.add_argument(
        "--loops", type=integer(0, LARGEST**2), help="openings that close a loop, in each maze (0)"
    )
    parser.add_builder_flags(seed=42)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    given = _filled(command_line().parse(arguments))
    check_output(given.output_dir, given.overwrite)
    mazes, facts = _generated(given) if given.generate else _published(given)
    train, test = mazes["train"], mazes["test"]
    side = train.questions.shape[1]
    about = About(
        name=f"maze-{side}x{side}",
        version=1,
        protocol="generated" if given.generate else "published",
        scorer="maze",
        facts={"side": side, "seed": given.seed, "aug": given.aug, **facts, **_path_facts(mazes)},
    )
    splits = {"train": _examples(train, given.aug), "test": _examples(test, False)}
    built = write_plain_dataset(
        given.output_dir,
        about,
        splits,
        vocab_size=len(MAZE_CHARACTERS),
        overwrite=given.overwrite,
        command=given.command,
    )
    print(summary(given.output_dir, built))
    several = about.facts["mazes_with_several_shortest_paths"]["test"]
    print(f"  {several} of {len(test)} test mazes have several shortest paths")
    if not given.generate:
        alike = about.facts["test_mazes_in_training_up_to_symmetry"]
        print(f"  {alike} of {len(test)} test mazes are turns or mirror images of training mazes")


def _filled(given: argparse.Namespace) -> argparse.Namespace:
    """The flags, with their values where they were not given."""
    own, foreign = (
        (GENERATED_FLAGS, PUBLISHED_FLAGS) if given.generate else (PUBLISHED_FLAGS, GENERATED_FLAGS)
    )
    misplaced = [f"--{flag.replace('_', '-')}" for flag in foreign if getattr(given, flag) is not None]
    if misplaced:
        raise UserError(
            given=f"{' '.join(misplaced)} {'with' if given.generate else 'without'} --generate",
            allowed="--source, --source-repo and --subsample-size for published mazes; --size, --train-size, "
            "--test-size, --min-length and --loops with --generate",
            remedy="drop these flags, or " + ("drop --generate" if given.generate else "add --generate"),
        )
    if given.source is not None and given.source_repo is not None:
        raise UserError(
            given=f"--source {given.source} reads no repository, but --source-repo {given.source_repo} names one",
            allowed="one of the two",
            remedy="drop one of the two flags",
        )
    for flag, value in own.items():
        if getattr(given, flag) is None:
            setattr(given, flag, value)
    if given.output_dir is None:
        name = f"maze-{given.size}x{given.size}-generated" if given.generate else DEFAULT_REPO.split("/")[1]
        given.output_dir = Path("data") / name
    return given


def _generated(given: argparse.Namespace) -> tuple[dict[str, Mazes], dict[str, Any]]:
    length = hard_length(given.size) if given.min_length is None else given.min_length
    kind = MazeKind(given.size, length, given.loops)
    questions, answers = generate_mazes(kind, given.train_size + given.test_size, given.seed)
    mazes = Mazes(questions, answers, [1] * len(questions))
    places = range(len(mazes))
    splits = {
        "train": mazes.chosen(places[: given.train_size]),
        "test": mazes.chosen(places[given.train_size :]),
    }
    return splits, {"algorithm": "wilson", "min_length": length, "loops": given.loops}


def _published(given: argparse.Namespace) -> tuple[dict[str, Mazes], dict[str, Any]]:
    mazes = read_mazes(published_files(given.source, given.source_repo))
    total, wanted = len(mazes["train"]), given.subsample_size
    if wanted is not None:
        if wanted > total:
            raise UserError(
                given=f"--subsample-size {wanted}, of {total} training mazes",
                allowed=f"up to {total}",
                remedy="choose fewer, or drop the flag to keep all",
            )
        generator = numpy_generator(given.seed, "maze subsample")
        mazes["train"] = mazes["train"].chosen(generator.choice(total, wanted, replace=False).tolist())
    known = mazes["test"].known_among(mazes["train"])
    if known and given.aug:
        test, train = known[0]
        raise bad_record(
            mazes["test"].places[test],
            f"a turn or mirror image of {mazes['train'].places[train]}, and --aug trains on all of those; "
            f"{len(known):,} of {len(mazes['test']):,} test mazes are such images",
            "with --aug, test mazes that are no images of training mazes",
        )
    return mazes, {"subsample_size": wanted, "test_mazes_in_training_up_to_symmetry": len(known)}


def _path_facts(mazes: Mapping[str, Mazes]) -> dict[str, Any]:
    lengths = {split: some.lengths() for split, some in mazes.items()}
    return {
        "path_lengths": {
            split: {
                "least": int(steps.min()),
                "mean": round(float(steps.mean()), 3),
                "most": int(steps.max()),
            }
            for split, steps in lengths.items()
        },
        "mazes_with_several_shortest_paths": {
            split: sum(paths > 1 for paths in some.shortest_paths) for split, some in mazes.items()
        },
    }


def _examples(mazes: Mazes, aug: bool) -> Examples:
    if not aug:
        return Examples(_rows(mazes.questions), _rows(mazes.answers))
    turned = images(mazes.questions)  # [E, 8, n, n]
    sizes = np.full(len(mazes), turned.shape[1])
    return Examples(_rows(turned), _rows(images(mazes.answers)), sizes)


def _rows(squares: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`[..., n, n]` as `[E, n·n]`."""
    return np.ascontiguousarray(squares).reshape(-1, squares.shape[-1] ** 2)
