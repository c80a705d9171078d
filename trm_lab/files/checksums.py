"""Checksums, by which a flipped bit is noticed on reading: inside a small JSON file, or in a folder's manifest."""

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
    """`content` with its checksum under one more key."""
    return {**content, CHECKSUM: _digest(content)}


def is_intact(content: Mapping[str, Any]) -> bool:
    """Whether `content` still has the checksum that `sealed` gave it; True where it has none."""
    unsealed = {key: value for key, value in content.items() if key != CHECKSUM}
    return CHECKSUM not in content or content[CHECKSUM] == _digest(unsealed)


def write_manifest(folder: Path) -> None:
    """Write manifest.json into a complete folder: its files with their checksums."""
    files = {file.name: digest(file) for file in sorted(folder.iterdir()) if file.name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")


def damage(folder: Path) -> str | None:
    """What is wrong with a folder's files, by its manifest; None where nothing is, or without a manifest."""
    try:
        manifest = load_json(folder / MANIFEST, LONGEST)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        manifest = None
    checksums = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(checksums, dict):
        return f"{MANIFEST} is unreadable"
    files = {file.name: file for file in folder.iterdir() if file.name != MANIFEST and file.is_file()}
    for name in sorted(checksums.keys() | files.keys()):
        if name not in files:
            return f"{name[:100]} is missing"
        if checksums.get(name) != digest(files[name]):
            return f"{name} differs from its checksum"
    return None


def digest(file: Path) -> str:
    """The SHA-256 of a file's bytes; errors as for `open_regular`."""
    with open_regular(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
