"""A page as one HTML file that asks nothing of anybody: style, program and data are in it, and nothing else may run.

The content security policy allows the one style and the one program by their digests. What comes from a run gets into
the page as escaped text or as JSON that no tag can end.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from analysis.scores import Row
from analysis.tables import Table

PROGRAM = ("boards.js", "browser.js", "page.js")  # in this order, as one script
NOT_IN_SCRIPTS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


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
    css, program = _asset("page.css"), "\n".join(map(_asset, PROGRAM))
    places = {place: table.html() for place, table in tables.items()} | dict(curves)
    return Template(_asset("page.html")).substitute(
        places,
        title=escape(title),
        subtitle=escape(subtitle),
        facts="".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts),
        remarks="".join(f"<li>{escape(remark)}</li>" for remark in remarks),
        policy=f"default-src 'none'; img-src data:; style-src {_digest(css)}; script-src {_digest(program)}; "
        "base-uri 'none'; form-action 'none'",
        css=css,
        program=program,
        data=json_in_script(examples),
    )


def json_in_script(data: Any) -> str:
    """ASCII JSON that stands in a script element: what could end or begin one is written as an escape."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return "".join(NOT_IN_SCRIPTS.get(letter, letter) for letter in text)


def _asset(name: str) -> str:
    return files("analysis.page").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
