"""Plain-text tables and the way numbers are written in them."""

from collections.abc import Sequence

from trm.evaluation.intervals import wilson_interval


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows of equal length as aligned text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    )
    return "\n".join(indent + line.rstrip() for line in lines)


def percent(share: float) -> str:
    """Write a share in [0, 1] as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def percent_range(low: float, high: float) -> str:
    """Write an interval of shares as percentages."""
    return f"[{100 * low:.1f}, {100 * high:.1f}] %"


def counted(right: int, of: int) -> str:
    """Write a count, its share and its Wilson 95 % interval."""
    return f"{right} of {of}, {percent(right / of)} {percent_range(*wilson_interval(right, of))}"


def duration(seconds: float) -> str:
    """Write seconds as the two largest of hours, minutes and seconds."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"
