"""HTML in one file that asks nothing of anybody: style, program and data are in it, and nothing else may run.

The content security policy allows the one style and the one program by their digests. Data get into the page as escaped
text or as JSON that no tag can end.
"""

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

NOT_IN_SCRIPTS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def asset(package: str, *names: str) -> str:
    """The text of files beside a package's modules, one after the other."""
    return "\n".join(files(package).joinpath(name).read_text(encoding="utf-8") for name in names)


def policy(css: str, program: str) -> str:
    """The content security policy of a page with this style and this program."""
    return (
        f"default-src 'none'; img-src data:; style-src {_digest(css)}; script-src {_digest(program)}; "
        "base-uri 'none'; form-action 'none'"
    )


def picture(words: str, kind: str, wide: bytes, narrow: bytes | None) -> str:
    """An image of this media type as an element; in narrow windows `narrow` in its place."""
    source = "" if narrow is None else f'<source media="(max-width: 600px)" srcset="{_packed(kind, narrow)}">'
    return f'<picture>{source}<img alt="{escape(words)}" src="{_packed(kind, wide)}"></picture>'


def _packed(kind: str, image: bytes) -> str:
    return f"data:{kind};base64,{b64encode(image).decode()}"


def json_in_script(data: Any) -> str:
    """ASCII JSON that stands in a script element: what could end or begin one is written as an escape."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return "".join(NOT_IN_SCRIPTS.get(letter, letter) for letter in text)


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
