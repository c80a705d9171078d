"""The page of `benchmarks.gpu_check`: a section of Markdown that benchmarks/RESULTS.md includes as it is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.results_table import pipes

Row = Mapping[str, Any]


def page(report: Mapping[str, Any]) -> str:
    """The page: machine and command, a summary, and a section for each part so far."""
    on = report["machine"]
    parts = report["parts"]
    lines = [
        f"## One GPU: {on['gpu']}, {report['date'][:10]}",
        f"`{report['command']}`, {report['date']}, {sum(part['seconds'] for part in parts):.0f} s; "
        f"torch {on['torch']}, CUDA {on.get('cuda', '–')}, Python {on['python']}, {on['processor']}.",
        summary(parts),
    ]
    return "\n\n".join([*lines, *(text for part in parts for text in section(part))])


def summary(parts: Sequence[Mapping[str, Any]]) -> str:
    """The numbers of comparisons that agree and differ, and the parts with a problem, in a line."""
    verdicts = [row.get("") for part in parts for row in part["rows"]]
    line = f"Comparisons that agree: {verdicts.count('agrees')}; that differ: {verdicts.count('differs')}."
    return " ".join([line, *(f"Part {part['number']}: {part['problem']}." for part in parts if part["problem"])])


def section(part: Mapping[str, Any]) -> Iterator[str]:
    """Heading, tables and remarks of a part."""
    yield f"### {part['number']}. {part['title'][0].upper()}{part['title'][1:]}"
    if part["problem"]:
        yield f"{part['problem'][0].upper()}{part['problem'][1:]}."
    yield from (f"It said: {line}" for line in part["remarks"])
    tables: dict[str, list[Row]] = {}
    for row in part["rows"]:
        if "table" in row:
            tables.setdefault(row["table"], []).append(row)
    for name, rows in tables.items():
        yield f"{name}:"
        yield pipes(cells(rows))
    yield from (row["note"] for row in part["rows"] if "note" in row)


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """A heading with the columns of all rows, and a line for each row."""
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "table"))
    return [columns, *([shown(row.get(column)) for column in columns] for row in rows)]


def shown(value: Any) -> str:
    """A cell: a number to four digits, or a text without the signs that would break the table."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    return f"{value:,}" if type(value) is int else str(value).replace("|", "\\|").replace("\n", " ")
