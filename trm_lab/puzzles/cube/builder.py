"""Build a dataset of 2×2×2 cubes: the facelets of a scrambled cube, and an optimal solution of it.

Run it with `python -m data.build_rubik2x2_dataset --help`. An example has 24 facelets and as many answer slots as
God's number; its label is the moves, then END to the last slot, and nothing on the facelets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trm.errors import UserError
from trm_lab.commands.command_line import CommandLine, integer, local_path
from trm_lab.puzzles.categories import by_value
from trm_lab.puzzles.cube.reveal_order import cube_reveal_order
from trm_lab.puzzles.cube.splits import Draw, draw_states
from trm_lab.puzzles.cube.states import METRICS, STATE_COUNT, Cube, States, cube_in, facelets
from trm_lab.puzzles.cube.symmetry import symmetry_classes
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FIRST_COLOUR, CUBE_FIRST_MOVE, CUBE_MASK
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.writer import Examples, build_plain_dataset, check_output

PROGRAM = "python -m data.build_rubik2x2_dataset"
EXAMPLE = """\
  python -m data.build_rubik2x2_dataset --output-dir data/cube-2x2x2
harder, as a well scrambled cube is:
  python -m data.build_rubik2x2_dataset --metric quarter --by-distance natural \\
      --train-size 100000 --test-size 10000 --output-dir data/cube-2x2x2-quarter"""


def command_line() -> CommandLine:
    """The flags."""
    parser = CommandLine(PROGRAM, "Build a dataset of scrambled 2×2×2 cubes and their optimal solutions.", EXAMPLE)
    parser.add_argument("--output-dir", required=True, type=local_path, help="where the dataset goes")
    parser.add_argument(
        "--metric",
        choices=sorted(METRICS),
        default="half",
        help="what is one move: any turn of a face (half, the default), or a quarter turn",
    )
    parser.add_argument("--train-size", type=integer(1, STATE_COUNT), default=10_000, help="states (10000)")
    parser.add_argument("--test-size", type=integer(1, STATE_COUNT), default=1_000, help="states (1000)")
    parser.add_argument("--min-distance", type=integer(0, 14), default=1, help="fewest moves from solved (1)")
    parser.add_argument(
        "--max-distance", type=integer(0, 14), help="most moves from solved (God's number: 11 half, 14 quarter)"
    )
    parser.add_argument(
        "--by-distance",
        choices=("uniform", "natural"),
        default="uniform",
        help="as many of each distance where there are so many (uniform, the default), or every state as likely "
        "(natural: nine in ten are 8 to 10 half turns away)",
    )
    parser.add_steps_flag()
    parser.add_builder_flags(seed=0)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = command_line().parse(arguments)
    metric = METRICS[flags.metric]
    highest = metric.gods_number if flags.max_distance is None else flags.max_distance
    if not flags.min_distance <= highest <= metric.gods_number:
        raise UserError(
            given=f"--min-distance {flags.min_distance} --max-distance {highest}",
            allowed=f"0 <= min <= max <= {metric.gods_number}, God's number in the {flags.metric}-turn metric",
            remedy="correct the range, or leave it out",
        )
    check_output(flags.output_dir, flags.overwrite)
    cube = cube_in(flags.metric)
    draw = Draw(
        flags.train_size, flags.test_size, flags.min_distance, highest, flags.by_distance == "uniform", flags.seed
    )
    states = draw_states(draw, cube.distances, symmetry_classes())
    about = About(
        name=f"cube-2x2x2-{flags.metric}",
        version=1,
        protocol="clean",
        scorer="cube",
        facts={
            "metric": flags.metric,
            "moves": metric.moves,
            "seed": flags.seed,
            "by_distance": flags.by_distance,
            "label": "of the optimal solutions, the first in the order of moves",
            "best_exact_match": 1.0,  # the label is a function of the question
            "disjoint_up_to": "24 rotations, mirror and recolouring (48 symmetries)",
            "several_optimal_solutions": _several(cube, states),
            "distances": {name: _counts(cube, drawn) for name, drawn in states.items()},
        },
    )
    splits = {name: encode(cube, drawn) for name, drawn in states.items()}
    train = splits["train"]
    splits["train"] = replace(train, reveal_order=cube_reveal_order(about.facts, train.inputs, train.labels))
    categories = by_value(
        f"{flags.metric} turns from solved", {name: cube.distances[drawn] for name, drawn in states.items()}
    )
    vocab_size = CUBE_FIRST_MOVE + len(metric.moves)
    build_plain_dataset(flags, about, splits, vocab_size=vocab_size, categories=categories)
    for name, counts in about.facts["distances"].items():
        print(f"  {name}: states by distance {counts}")


def encode(cube: Cube, states: States) -> Examples:
    """The examples of states `[E]`."""
    moves = cube.solutions(states)
    answers = np.where(moves < 0, CUBE_END, moves + CUBE_FIRST_MOVE).astype(np.uint8)
    questions = facelets(states) + np.uint8(CUBE_FIRST_COLOUR)
    return Examples(
        inputs=np.hstack([questions, np.full_like(answers, CUBE_MASK)]),
        labels=np.hstack([np.zeros_like(questions), answers]),
    )


def _several(cube: Cube, states: Mapping[str, States]) -> dict[str, Any]:
    """Count the states with more than one optimal solution: of all states, and of each split."""
    several = cube.solution_counts > 1
    return {"all": int(several.sum()), **{name: int(several[drawn].sum()) for name, drawn in states.items()}}


def _counts(cube: Cube, states: States) -> dict[str, int]:
    distances, counts = np.unique(cube.distances[states], return_counts=True)
    return {str(d): int(n) for d, n in zip(distances, counts, strict=True)}
