"""Small files that carry their own checksum, and folders with a list of them: a flipped bit is noticed on reading."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trm_lab.files.untrusted import load_json, open_regular

CHECKSUM = "sha256"
MANIFEST = "manifest.json"
LONGEST = 1 << 24  # bytes of a manifest


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Keys and values with their checksum beside them."""
    return {**content, CHECKSUM: _digest(content)}


def is_intact(content: Mapping[str, Any]) -> bool:
    """Whether keys and values are as they were sealed; those without a checksum are taken as they are."""
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    return CHECKSUM not in content or content[CHECKSUM] == _digest(rest)


def write_manifest(folder: Path) -> None:
    """List the files of a folder that is complete, with their checksums."""
    files = {file.name: digest(file) for file in sorted(folder.iterdir()) if file.name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")


def damage(folder: Path) -> str | None:
    """What is wrong with the files of a folder; None where nothing is, or where nothing lists them."""
    try:
        listed = load_json(folder / MANIFEST, LONGEST)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return f"{MANIFEST} is unreadable"
    files = listed.get("files") if isinstance(listed, dict) else None
    if not isinstance(files, dict):
        return f"{MANIFEST} is unreadable"
    there = {found.name: found for found in folder.iterdir() if found.name != MANIFEST and found.is_file()}
    for name in sorted(files.keys() | there.keys()):
        if name not in there:
            return f"{name[:100]} is missing"
        if files.get(name) != digest(there[name]):
            return f"{name} differs from its checksum"
    return None


def digest(file: Path) -> str:
    """The SHA-256 of a file's bytes; errors as for `open_regular`."""
    with open_regular(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
