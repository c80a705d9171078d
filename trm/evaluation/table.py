"""Numbers and scores as text."""

from collections.abc import Sequence

from trm.evaluation.intervals import wilson_interval

NOT_ESTIMABLE = "not estimable"  # an interval from a sample without spread, or of too few


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


def share_range(low: float | None, high: float | None) -> str:
    """An interval of shares within [0, 1] as percentages, or that there is none."""
    if low is None or high is None:
        return f"[{NOT_ESTIMABLE}]"
    return percent_range(max(0.0, low), min(1.0, high))


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
