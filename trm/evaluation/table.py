"""Numbers and scores as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from trm.evaluation.intervals import wilson_interval


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows of equal length as aligned text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(indent + _line(row, widths).rstrip() for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join([first.strip().ljust(widths[0]), *rest])


def percent(share: float) -> str:
    """A share in [0, 1] as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def percent_range(low: float, high: float) -> str:
    """An interval of shares as percentages."""
    return f"[{100 * low:.1f}, {100 * high:.1f}] %"


def counted(right: int, of: int) -> str:
    """A count, its share and its Wilson 95 % interval."""
    return f"{right} of {of}, {percent(right / of)} {percent_range(*wilson_interval(right, of))}"


def duration(seconds: float) -> str:
    """Seconds as the two largest of hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _task_rows(task: Mapping[str, Any]) -> list[Sequence[str]]:
    """What a dataset's own scorer says."""
    if not task["scorer"]:
        return []
    named = f"{task['dataset']}, version {task['version']}, protocol {task['protocol']}"
    verdicts = task["verdicts"].items()
    return [(f"{named}:", "", ""), *((f"  {name}", counted(n, task["examples"]), "") for name, n in verdicts)]


def scores_table(scores: Mapping[str, Any]) -> str:
    """An evaluation (the content of scores.json): scores beside copying the input, then each supervision step."""
    per_step, copied = scores["per_step"], scores["copy"]
    rows: list[Sequence[str]] = [("", "model", "copy the input")]
    for name, value in scores.get("scores", {}).items():
        rows.append((name, percent(value), percent(copied["scores"][name])))
    for k in (1, 2) if scores.get("counts", {}).get("outputs") else ():
        both = [c["counts"] for c in (scores, copied)]
        rows.append(
            (
                f"outputs right, {k} attempts",
                *(counted(c[f"outputs_correct@{k}"], c["outputs"]) for c in both),
            )
        )
    rows.append(("", "cells right", "whole answer right"))
    lines = zip(per_step["network_calls"], per_step["cell_accuracy"], per_step["exact_accuracy"], strict=True)
    for step, (calls, cells, whole) in enumerate(lines, start=1):
        rows.append((f"supervision step {step} ({calls} network calls)", percent(cells), percent(whole)))
    rows.append(("copy the input", percent(copied["cell_accuracy"]), percent(copied["exact_accuracy"])))
    rows += [row for task in scores.get("tasks", []) for row in _task_rows(task)]
    ranking = f"\nvotes ranked by {scores['votes_ranked_by']}" if "votes_ranked_by" in scores else ""
    return f"step {scores['step']}, {scores['examples']} examples\n{table(rows, '  ')}{ranking}"
