"""A table as text, Markdown, LaTeX and HTML, and quantities as text: a number is written once, the same everywhere."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from trm_lab.commands.tables import UNKNOWN, duration, percent, share_with_range, table
from trm_lab.intervals import SeedSummary

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "×": r"$\times$", "±": r"$\pm$", "≥": r"$\ge$",
    "≤": r"$\le$", "∞": r"$\infty$", "−": r"$-$", "→": r"$\to$",
    "●": r"$\bullet$", "…": r"\ldots{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
}  # fmt: skip
_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


@dataclass(frozen=True)
class Table:
    """title: one line.  header, rows: of equal length; the first column names what a row is of.  notes: below it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Aligned columns and the notes, for a terminal; without the title."""
        return "\n".join([table([self.header, *self.rows], indent="  "), *(f"  {note}" for note in self.notes)])

    def markdown(self) -> str:
        """A title, a table of GitHub's kind, and the notes."""
        lines = [f"**{_plain(self.title)}**", "", _line(self.header)]
        lines += ["|---|" + "---:|" * (len(self.header) - 1), *(_line(row) for row in self.rows)]
        return "\n".join([*lines, *(f"\n{_plain(note)}" for note in self.notes)])

    def latex(self) -> str:
        """A `table` for the package booktabs."""
        rows = "\n".join("  " + " & ".join(map(_latex, row)) + r" \\" for row in self.rows)
        notes = "".join(f" {_latex(note)}" for note in self.notes)
        return "\n".join(
            [
                r"\begin{table}",
                "  \\centering\\small",
                rf"  \caption{{{_latex(self.title)}.{notes}}}",
                rf"  \begin{{tabular}}{{l{'r' * (len(self.header) - 1)}}}",
                r"  \toprule",
                "  " + " & ".join(map(_latex, self.header)) + r" \\",
                r"  \midrule",
                rows,
                r"  \bottomrule",
                r"  \end{tabular}",
                r"\end{table}",
            ]
        )

    def html(self) -> str:
        """A `table` with its caption, and the notes; every text is escaped."""
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.header)
        rows = "\n".join(_row_html(row) for row in self.rows)
        notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in self.notes)
        caption = f"<caption>{html.escape(self.title)}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>{notes}"


def _row_html(row: Sequence[str]) -> str:
    first, *others = map(html.escape, row)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", r"\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """A stranger's text cannot open a tag or an image in Markdown."""
    return text.replace("<", "&lt;").replace("![", "!&#91;")


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def amount(value: float | None, unit: str) -> str:
    """Three digits and a prefix: 1.23 TFLOP; – for what is not known."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    power = 0
    while abs(value) >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    digits = f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    return f"{digits} {_PREFIXES[power]}{unit}".rstrip()


def whole_number(value: float | None) -> str:
    """With separators: 12,000."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def time(seconds: float | None) -> str:
    """A duration, in milliseconds below a second."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds >= 10:
        return duration(seconds)
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def share_over_seeds(summary: SeedSummary) -> str:
    """A mean share with its 95 % t-interval within [0, 1]: 91.2 % [85.0, 97.4], n=3; of one seed the share alone.

    Of seeds without spread: 99.0 % [not estimable], n=3.
    """
    if summary.n == 1:
        return f"{percent(summary.mean)}, n={summary.n}"
    return f"{share_with_range(summary.mean, summary.low, summary.high)}, n={summary.n}"
