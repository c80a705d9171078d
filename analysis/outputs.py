"""What the commands here write: figures, tables, pages, each with a mark that says so, and over nothing else.

A folder of figures holds figures and reports of ours alone; several commands share it. A figure that is there is drawn
anew; a file of somebody else is never replaced, and nothing is written among such files.
"""

import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.commands.command_line import CommandLine, local_path
from trm_lab.files.folders import Kind, check_no_links, check_place, foreign, is_empty, refusal
from trm_lab.files.whole_files import carries, check_output_file, mark, write_output
from trm_lab.runs.many_runs import ManyRuns, figures_of, read_runs

FIGURE, PAGE, REPORT, TABLE, ANIMATION = "figure", "page", "report", "table", "animation"
SUFFIXES = ("png", "pdf", "gif", "html", "md", "tex")


def _unmarked(folder: Path) -> Iterator[Path]:
    files = (file for file in sorted(folder.rglob("*")) if file.suffix[1:] in SUFFIXES)
    return (file for file in files if not carries(file, mark("")))


FIGURES = Kind(
    "figures and reports of ours",
    rf".+/|(.+/)?[^/]+\.({'|'.join(SUFFIXES)})(\.partial)?",
    lambda folder: not any(_unmarked(folder)),
)


def check_figures_folder(folder: Path, flag: str = "--figures-dir") -> None:
    """Check that figures may be written into `folder`, before any is drawn.

    Raises:
        UserError: other things than figures of ours are there, it is a link, or nothing can be written.
    """
    check_place(folder, flag, replaced=False)
    name = None if is_empty(folder) else foreign(folder, FIGURES)
    if name is None:
        return
    error = refusal(folder, FIGURES, name, flag)
    if re.fullmatch(FIGURES.names, name) is None:
        raise error
    file = next(_unmarked(folder)).relative_to(folder)
    raise UserError(
        f"{shown(file)} in output {shown(folder)} has no mark of ours",
        error.allowed,
        f"{error.remedy}; figures that an earlier version drew have no mark: move those away, and they are drawn again",
    )


def add_runs_and_figures_dir(parser: CommandLine) -> None:
    """Add the arguments that `runs_and_figures_dir` reads."""
    parser.add_argument("runs", type=local_path, nargs="+", metavar="run", help="runs, folders of runs, or patterns")
    parser.add_argument("--figures-dir", type=local_path, help="where all goes (default: figures/ beside the runs)")


def runs_and_figures_dir(options: Namespace) -> tuple[ManyRuns, Path]:
    """The runs that a command names, and a folder in which what is made of them may be written.

    Raises:
        UserError: no run can be read, or other things than figures of ours are in the folder.
    """
    read = read_runs(options.runs)
    folder = options.figures_dir or figures_of(options.runs, [run.path for run in read.runs])
    check_figures_folder(folder)
    return read, folder


def marked(text: str, suffix: str, kind: str) -> str:
    """A text with its mark as a comment at its end, as its form has it: .html, .md or .tex."""
    before, behind = ("% ", "") if suffix == ".tex" else ("<!-- ", " -->")
    return f"{text}{before}{mark(kind)}{behind}\n"


def write_marked(file: Path, text: str, kind: str, flag: str = "--output") -> None:
    """Write a text file with its mark; see `trm_lab.files.whole_files.write_output`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_output(file, text if mark(kind) in text else marked(text, file.suffix, kind), kind, flag)


def check_file(file: Path, kind: str, run: Path, flag: str = "--output") -> None:
    """Check that `file` may be written, before anything is drawn.

    run: a stranger's, perhaps: no link in it may lead the file elsewhere.

    Raises:
        UserError: it may not.
    """
    check_no_links(file.parent, run, flag)
    check_output_file(file, kind, flag)
