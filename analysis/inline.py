"""Figures and tables as notebooks show them; without a notebook's packages."""

from dataclasses import dataclass
from io import BytesIO

from matplotlib.figure import Figure

from analysis import style
from analysis.tables import Table

DPI = 110


@dataclass(frozen=True)
class Shown:
    """The last line of a cell, or what `display` is given: a figure or a table."""

    content: Figure | Table

    def _repr_png_(self) -> bytes | None:
        if not isinstance(self.content, Figure):
            return None
        stream = BytesIO()
        with style.applied():
            self.content.savefig(stream, format="png", dpi=DPI)
        return stream.getvalue()

    def _repr_html_(self) -> str | None:
        return self.content.html() if isinstance(self.content, Table) else None

    def __repr__(self) -> str:
        return self.content.markdown() if isinstance(self.content, Table) else "a figure"
