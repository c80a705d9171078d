"""What each source of step targets teaches, step after step, for a training example: draws a picture.

Also prints how many of an example's scored tokens differ from its answer in each target, in the mean over examples.
B examples, L tokens, N supervision steps.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.outputs import FIGURE
from trm.errors import UserError
from trm_lab.commands.command_line import COUNT, SEED, CommandLine, integer, local_path, run_command
from trm_lab.commands.tables import table
from trm_lab.files.whole_files import check_output_file
from trm_lab.puzzles.picture import Example

MOST_STEPS = 16  # columns that fit on a page


def command_line() -> CommandLine:
    """The flags."""
    example = "  python -m analysis.targets data/sudoku-6x6-2k-aug-100 --sources reveal solver --output sudoku"
    parser = CommandLine("python -m analysis.targets", __doc__, example)
    parser.add_argument("dataset", type=local_path, help="a dataset's folder")
    parser.add_argument("--sources", nargs="+", metavar="NAME", help="of which, by their rows (all that there are)")
    parser.add_argument("--run", help="whose model makes the predictions that prediction and on_policy look at")
    parser.add_argument("--steps", type=integer(1, MOST_STEPS), default=6, help="N, supervision steps (6)")
    parser.add_argument("--examples", type=COUNT, default=1, help="how many are drawn, a picture each (1)")
    parser.add_argument("--seed", type=SEED, default=0, help="of the examples and of random targets (0)")
    parser.add_argument("--no-figure", action="store_true", help="print the numbers alone")
    parser.add_argument(
        "--output", type=local_path, default=Path("targets"), help="without suffix: .png and .pdf (targets)"
    )
    return parser


def figure_files(output: Path, count: int) -> list[Path]:
    """Where each picture goes, without suffix.

    Raises:
        UserError: `output` is no name for a file, or a picture would replace something else.
    """
    if output.name in ("", "..") or output.suffix in (".png", ".pdf"):
        raise UserError(
            f"--output {output}", "a file's path without .png and .pdf, which are put behind it", "--output targets"
        )
    names = [output.name] if count == 1 else [f"{output.name}_{number}" for number in range(1, count + 1)]
    files = [output.with_name(name) for name in names]
    for file in files:
        for suffix in (".png", ".pdf"):
            check_output_file(file.with_name(file.name + suffix), FIGURE)
    return files


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: a dataset or run that cannot be read, or a source that is not there.
    """
    options = command_line().parse(arguments)
    # not for --help: torch takes seconds
    from analysis.teaching import chosen_sources, dataset_picture, targets_figure, taught_by

    files = [] if options.no_figure else figure_files(options.output, options.examples)
    sources = chosen_sources(options.sources)
    batch, taught = taught_by(sources, options.dataset, options.run, options.steps, options.seed)
    inputs, labels = batch.inputs.long().numpy(), batch.labels.long().numpy()
    header = [f"tokens to go, mean of {len(batch)}", *(f"step {step}" for step in range(1, options.steps + 1))]
    print(table([header, *([each.name, *(f"{d:.1f}" for d in each.distances(labels))] for each in taught)]))
    picture = dataset_picture(options.dataset, inputs.shape[1]) if files else None
    for row, file in enumerate(files[: len(batch)]):
        assert picture is not None
        heading = f"{options.dataset.name}: targets of {options.steps} supervision steps"
        figure = targets_figure(picture, Example(inputs[row], labels[row]), row, taught, heading)
        for path in style.save(figure, file, "--output"):
            print(path)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")
