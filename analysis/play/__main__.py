"""Play with trained models: one page in which sudokus, queens and mazes are set by hand and answered step by step.

The weights are in the page, and the networks run in it: it needs no server and no network.
"""

import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if not __package__:  # run by its path: our modules are found from the folder above analysis/
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from analysis.outputs import PAGE, check_file, write_marked
from analysis.self_contained import asset, json_in_script, policy
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.commands.project_root import PROJECT_ROOT

if TYPE_CHECKING:
    from trm_lab.runs.opened_checkpoint import OpenedCheckpoint

SHIPPED = PROJECT_ROOT / "pretrained"
PROGRAM = ("network.js", "rules.js", "questions.js", "play.js")  # in this order, behind the drawing of boards
EXAMPLE = """\
  python -m analysis.play
  python -m analysis.play runs/sudoku_dis runs/sudoku_trm --output sudoku.html"""


def page(checkpoints: "list[OpenedCheckpoint]") -> str:
    """The HTML of a page with these models in it.

    Raises:
        UserError: a model of puzzles that the page has no rules for.
    """
    from analysis.play.models import puzzle_sets

    css = asset("analysis.page", "page.css") + asset("analysis.play", "play.css")
    program = asset("analysis.page", "boards.js") + asset("analysis.play", *PROGRAM)
    data = json_in_script(puzzle_sets(checkpoints))
    places = {"policy": policy(css, program), "css": css, "program": program, "data": data}
    return Template(asset("analysis.play", "page.html")).substitute(places)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: no weights, or such that the page cannot play with.
    """
    parser = CommandLine("python -m analysis.play", __doc__, EXAMPLE)
    parser.add_argument(
        "models", nargs="*", type=local_path, help="runs, checkpoints, exports, or folders of exports (pretrained/)"
    )
    parser.add_argument("--output", type=local_path, default=Path("play.html"), help="the file (play.html)")
    options = parser.parse(arguments)
    from analysis.play.models import model_folders  # not for --help: torch takes seconds
    from trm_lab.runs.opened_checkpoint import open_checkpoint

    folders = [each for folder in options.models or [SHIPPED] for each in model_folders(folder)]
    for folder in folders:
        check_file(options.output, PAGE, folder)
    write_marked(options.output, page([open_checkpoint(folder) for folder in folders]), PAGE)
    print(options.output)
    webbrowser.open(options.output.resolve().as_uri())  # where there is a browser


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")
