"""Numbers and scores as text."""

from collections.abc import Sequence

from trm_lab.intervals import wilson_interval

NOT_ESTIMABLE = "not estimable"  # an interval from a sample without spread, or of too few
UNKNOWN = "–"
LEAST_P = 1e-12  # smaller ones are rounding
P_LEVELS = (0.001, 0.01, 0.05)  # a p below one of them is never printed as if it were not
_MOST_DECIMALS = 8


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows of equal length as aligned text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(indent + _line(row, widths).rstrip() for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join([first.strip().ljust(widths[0]), *others])


def percent(share: float, decimals: int = 1) -> str:
    """A share in [0, 1] as a percentage."""
    return f"{100 * share:.{decimals}f} %"


def percent_range(low: float, high: float, decimals: int = 1) -> str:
    """An interval of shares as percentages; with more decimals where fewer would show a width of 0."""
    decimals = _decimals(low, high, decimals)
    return f"[{100 * low:.{decimals}f}, {100 * high:.{decimals}f}] %"


def share_range(low: float | None, high: float | None, decimals: int = 1) -> str:
    """An interval of shares within [0, 1] as percentages, or that there is none."""
    if low is None or high is None:
        return f"[{NOT_ESTIMABLE}]"
    return percent_range(max(0.0, low), min(1.0, high), decimals)


def share_with_range(share: float, low: float | None, high: float | None, decimals: int = 1) -> str:
    """A share and its interval, to the same decimals; the percent sign stands once."""
    if low is not None and high is not None:
        decimals = _decimals(max(0.0, low), min(1.0, high), decimals)
    return f"{percent(share, decimals)} {share_range(low, high, decimals).removesuffix(' %')}"


def counted(right: int, of: int) -> str:
    """A count, its share and its Wilson 95 % interval."""
    return f"{right} of {of}, {share_with_range(right / of, *wilson_interval(right, of))}"


def signed(number: float, form: str) -> str:
    """A number with its sign, the minus as readers know it; 0 has none."""
    text = f"{number:+{form}}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def points(difference: float, decimals: int = 1) -> str:
    """A difference of shares in percentage points."""
    return signed(100 * difference, f".{decimals}f")


def points_range(low: float | None, high: float | None) -> str:
    """An interval of a difference in percentage points; a bound that is not 0 is not shown as 0."""
    if low is None or high is None:
        return f"[{NOT_ESTIMABLE}]"
    decimals = max(_decimals(low, high), *(_decimals(0.0, bound) for bound in (low, high)))
    return f"[{points(low, decimals)}, {points(high, decimals)}]"


def p_value(p: float | None) -> str:
    """Three decimals, or a power of ten; – where there is none. One below a level that rounds to it: < 0.050."""
    if p is None:
        return UNKNOWN
    if p < LEAST_P:
        return f"< {LEAST_P:g}"
    text = f"{p:.3f}" if p >= P_LEVELS[0] else f"{p:.1e}"
    return f"< {text}" if any(p < level <= float(text) for level in P_LEVELS) else text


def _decimals(low: float, high: float, least: int = 1) -> int:
    """Decimals of two percentages with which different shares are not printed alike."""
    if low == high:
        return least
    every = range(least, _MOST_DECIMALS)
    return next((n for n in every if float(f"{100 * low:.{n}f}") != float(f"{100 * high:.{n}f}")), _MOST_DECIMALS)


def duration(seconds: float) -> str:
    """Seconds as the two largest of hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
