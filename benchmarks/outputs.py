"""Where the benchmarks write: a folder with nothing but their reports, each with a mark, which are made anew.

Several benchmarks may share a folder. Among other things nothing is written, and no file without the mark is replaced.
"""

import json
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from trm_lab.files.folders import Kind, check_place, foreign, is_empty, refusal
from trm_lab.files.whole_files import carries, check_output_file, mark, write_output, write_whole

KIND = "benchmark"
REPORTS = Kind(
    "reports of benchmarks",
    r"(train_step|evaluate|voting|roofline|gpu_check|step_model)\.(json|txt|md|png|pdf)(\.partial)?",
    lambda folder: all(_is_ours(file) for file in folder.iterdir() if file.suffix != ".partial"),
)


def _is_ours(file: Path) -> bool:
    """Whether it carries the mark; a text or page, which shows the same figures, is its JSON file's."""
    return carries(file.with_suffix(".json") if file.suffix in (".txt", ".md") else file, mark(KIND))


def check_output_folder(folder: Path | None) -> None:
    """Check before anything is measured that reports may be written into `folder`; None: nothing is written.

    Raises:
        UserError: other things are there, it is a link, or nothing can be written.
    """
    if folder is None:
        return
    check_place(folder, REPORTS.flag, replaced=False)
    name = None if is_empty(folder) else foreign(folder, REPORTS)
    if name is not None:
        raise refusal(folder, REPORTS, name)


def write_report(folder: Path, name: str, report: Mapping[str, Any], text: str, suffix: str = "txt") -> None:
    """Write `<name>.json` and `<name>.<suffix>`; errors as for `check_output_folder`."""
    assert re.fullmatch(REPORTS.names, f"{name}.json"), f"{name} is missing in REPORTS: the next run would refuse it"
    check_output_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marked = {**report, "written_by": mark(KIND)}
    write_output(folder / f"{name}.json", json.dumps(marked, indent=1) + "\n", KIND, REPORTS.flag)
    write_whole(folder / f"{name}.{suffix}", f"{text}\n")


def save_figure(figure: Figure, path_without_suffix: Path) -> list[Path]:
    """Write PNG and PDF, in the look that is set; the same figure gives the same bytes."""
    about = {".png": {"Software": mark(KIND)}, ".pdf": {"Creator": mark(KIND), "CreationDate": None}}
    files = []
    for suffix, metadata in about.items():
        drawn = BytesIO()
        figure.savefig(drawn, format=suffix[1:], metadata=metadata)
        files.append(path_without_suffix.with_name(path_without_suffix.name + suffix))
        write_output(files[-1], drawn.getvalue(), KIND, REPORTS.flag)
    return files


def check_table_file(file: Path | None, flag: str) -> None:
    """UserError where a benchmark's file cannot be written, or another file is there; None: nothing is written."""
    if file is not None:
        check_output_file(file, KIND, flag)
