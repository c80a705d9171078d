"""A report as one HTML file without outside requests, and as Markdown beside its figures."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis.self_contained import picture
from analysis.tables import Table

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.wide, figure { overflow-x: auto; margin: 1.2rem 0; }
.wide { /* a shadow at the side at which more can be scrolled to */
  background: linear-gradient(to left, #fff 40%, #fff0) right -2px top 0 / 2.4rem 100% no-repeat local,
    linear-gradient(to left, #8a8a86, #fff0) right / .8rem 100% no-repeat scroll;
}
table { border-collapse: collapse; font-size: .86rem; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
td { white-space: nowrap; }
th:first-child, td:first-child, td:last-child, th:last-child { text-align: left; white-space: normal; }
td:last-child { min-width: 11rem; }
thead th { border-bottom: 2px solid #888; }
caption { font-weight: 600; text-align: left; margin-bottom: .4rem; }
.note { color: #555; font-size: .82rem; max-width: 60rem; }
img { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True)
class Part:
    """A section.  figures: by name.  columns: the same a column wide, for print and for narrow windows."""

    title: str
    tables: list[Table]
    figures: dict[str, Figure]
    columns: dict[str, Figure]

    def file_name(self, figure: str) -> str:
        """File name of a figure, without its suffix."""
        return re.sub(r"[^A-Za-z0-9-]+", "_", figure).strip("_")


def page(title: str, parts: Sequence[Part], remarks: Sequence[str], folder: Path) -> tuple[str, str]:
    """The whole as HTML and as Markdown; the figures are saved in `folder` already."""
    body = [f"<h1>{html.escape(title)}</h1>"]
    lines = [f"# {title}"]
    for part in parts:
        body.append(f"<h2>{html.escape(part.title)}</h2>")
        lines.append(f"## {_plain(part.title)}")
        for name, fig in part.figures.items():
            file, column = (folder / f"{part.file_name(one)}.png" for one in (name, f"{name}_column"))
            body.append(_image(file, column if f"{name}_column" in part.columns else None, fig.get_suptitle()))
            lines.append(f"![{_plain(fig.get_suptitle())}]({file.name})")
        for table in part.tables:
            body.append(f'<div class="wide">{table.html()}</div>')
            lines.append(table.markdown())
    if remarks:
        items = "\n".join(f"<li>{html.escape(remark)}</li>" for remark in remarks)
        body.append(f"<h2>Left out</h2>\n<ul>{items}</ul>")
        lines += ["## Left out", "\n".join(f"- {_plain(remark)}" for remark in remarks)]
    return _document(title, "\n".join(body)), "\n\n".join(lines) + "\n"


def _image(file: Path, column: Path | None, words: str) -> str:
    narrow = None if column is None else column.read_bytes()
    return f"<figure>{picture(words, 'image/png', file.read_bytes(), narrow)}</figure>"


def _document(title: str, body: str) -> str:
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("[", "&#91;").replace("]", "&#93;")
