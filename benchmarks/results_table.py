"""Measured figures as tables: aligned text for a terminal, Markdown for benchmarks/RESULTS.md.

python -m benchmarks.results_table runs/benchmark/train_step.json runs/benchmark/evaluate.json
"""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from trm.errors import UserError
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.commands.tables import percent, table

Report = Mapping[str, Any]
Rows = Sequence[Sequence[str]]


def main(arguments: list[str] | None = None) -> None:
    """Print the Markdown of each file."""
    line = CommandLine(
        "python -m benchmarks.results_table",
        "Print the figures of benchmarks as Markdown.",
        "  python -m benchmarks.results_table runs/benchmark/train_step.json >> benchmarks/RESULTS.md",
    )
    line.add_argument("files", nargs="+", type=local_path, help="written by a benchmark's --output-dir")
    print("\n\n".join(as_markdown(read(file)) for file in line.parse(arguments).files))


def read(file: Path) -> dict[str, Any]:
    """A benchmark's report.

    Raises:
        UserError: the file is none.
    """
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _no_report(file) from error
    if not isinstance(report, dict) or report.get("kind") not in ROWS:
        raise _no_report(file)
    return report


def _no_report(file: Path) -> UserError:
    return UserError(
        f"{file} holds no figures of a benchmark",
        "train_step.json or evaluate.json",
        "give a file that --output-dir of benchmarks.train_step or benchmarks.evaluate wrote",
    )


def as_text(report: Report) -> str:
    """Aligned columns, under what they were measured on."""
    remarks = [*_about(report), *_remarks(report)]
    parts = [*remarks, *(table(rows) for rows in ROWS[report["kind"]](report) if len(rows) > 1)]
    return "\n\n".join(["\n".join(parts[: len(remarks)]), *parts[len(remarks) :]])


def as_markdown(report: Report) -> str:
    """The same with pipes."""
    lines = [f"- {line}" for line in (*_about(report), *_remarks(report))]
    return "\n\n".join(["\n".join(lines), *(pipes(rows) for rows in ROWS[report["kind"]](report) if len(rows) > 1)])


def pipes(rows: Rows) -> str:
    """A Markdown table, its first row being the heading."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|---|{'---:|' * (len(rows[0]) - 1)}", *body])


def _about(report: Report) -> list[str]:
    on = report["machine"]
    device = on.get("gpu", "")
    chip = f"{on['processor']}, {on['threads']} threads, {on['instructions']}"
    versions = f"torch {on['torch']}" + (f", CUDA {on['cuda']}" if on.get("cuda") else "")
    where = f"{device}; {chip}" if device else chip
    return [f"{where}; {versions}; Python {on['python']}; {report['date']}", f"command: {report['command']}"]


def _remarks(report: Report) -> list[str]:
    return [f"left out: {reason}" for reason in report.get("left_out", [])]


def _step_tables(report: Report) -> list[Rows]:
    """Speed, then memory and limits."""
    speed: list[Sequence[str]] = [
        (
            "configuration",
            "ms a step (lowest–highest)",
            "examples/s",
            "GFLOP an example",
            "GFLOP/s",
            "of the limit",
            "reference ms",
            "of the limit",
            "reference/ours",
        )
    ]
    memory: list[Sequence[str]] = [
        (
            "configuration",
            "limit GFLOP/s",
            "square",
            "own shapes",
            "copy GB/s",
            "FLOP/byte",
            "peak GB",
            "above start",
            "reference GB",
            "above start",
        )
    ]
    for one in report["results"]:
        ours, other, limit = one["ours"], one["reference"], one["limit"]
        speed.append(
            (
                one["name"],
                _milliseconds(ours["seconds"]),
                f"{ours['examples_per_second']:,.1f}",
                f"{one['operations_per_example'] / 1e9:.3g}",
                f"{ours['operations_per_second'] / 1e9:,.1f}",
                percent(ours["share_of_limit"]),
                _milliseconds(other["seconds"]),
                percent(other["share_of_limit"]),
                f"{one['ratio']['median']:.2f} ({one['ratio']['low']:.2f}–{one['ratio']['high']:.2f})",
            )
        )
        memory.append(
            (
                one["name"],
                *(f"{limit[key] / 1e9:,.1f}" for key in ("best", "square", "own", "copied")),
                f"{one['intensity']:.0f}",
                *(f"{part['memory'][key] / 1e9:.2f}" for part in (ours, other) for key in ("peak", "own")),
            )
        )
    return [speed, memory]


def _milliseconds(seconds: Mapping[str, float]) -> str:
    low, middle, high = (three_digits(1000 * seconds[key]) for key in ("low", "median", "high"))
    return f"{middle} ({low}–{high})"


def three_digits(value: float) -> str:
    """At least three significant digits, never an exponent."""
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def _evaluation_tables(report: Report) -> list[Rows]:
    parts = list(report["results"][0]["shares"]) if report["results"] else []
    rows: list[Sequence[str]] = [("evaluation", "examples", "answers/s (lowest–highest)", "seconds", *parts)]
    for one in report["results"]:
        speed = one["answers_per_second"]
        rows.append(
            (
                one["name"],
                f"{one['examples']:,}",
                f"{speed['median']:,.1f} ({speed['low']:,.1f}–{speed['high']:,.1f})",
                f"{one['seconds']['median']:.3g}",
                *(percent(one["shares"][part]) for part in parts),
            )
        )
    return [rows]


ROWS: dict[str, Callable[[Report], list[Rows]]] = {"train_step": _step_tables, "evaluate": _evaluation_tables}

if __name__ == "__main__":
    run_command(main, interrupted="interrupted")
