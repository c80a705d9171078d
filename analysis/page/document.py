"""A page as one HTML file, see `analysis.self_contained`; what comes from a run gets in as escaped text or JSON."""

from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any

from analysis.scores import Row
from analysis.self_contained import asset, json_in_script, policy
from analysis.tables import Table

PROGRAM = ("boards.js", "browser.js", "page.js")  # in this order, as one script


def document(
    title: str,
    subtitle: str,
    facts: Sequence[Row],
    remarks: Sequence[str],
    tables: Mapping[str, Table],
    curves: Mapping[str, str],
    examples: Mapping[str, Any] | None,
) -> str:
    """The page. tables, curves: by their places in page.html, curves as HTML.  examples: for the browser of puzzles."""
    css, program = asset("analysis.page", "page.css"), asset("analysis.page", *PROGRAM)
    places = {place: table.html() for place, table in tables.items()} | dict(curves)
    return Template(asset("analysis.page", "page.html")).substitute(
        places,
        title=escape(title),
        subtitle=escape(subtitle),
        facts="".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts),
        remarks="".join(f"<li>{escape(remark)}</li>" for remark in remarks),
        policy=policy(css, program),
        css=css,
        program=program,
        data=json_in_script(examples),
    )
