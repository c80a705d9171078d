"""metrics.jsonl as a checkpoint relies on it; what is damaged is set aside and said, and stops no training."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trm.errors import report
from trm_lab.files.untrusted import open_regular
from trm_lab.files.whole_files import name_aside, set_aside, write_whole

KINDS = ("train", "evaluation")
BLOCK = 1 << 20  # bytes
LONGEST_LINE = 1 << 20  # bytes


def whole_records(file: Path, state: Mapping[str, Any]) -> int:
    """Where the records end that belong to a checkpoint's `state`; a damaged file is mended first.

    Of a damaged one the readable records up to the checkpoint's step stay, and the original is kept beside it.
    """
    size, wanted = int(state["records_bytes"]), state.get("records_sha256")
    there = file.stat().st_size if file.is_file() else 0
    if there >= size and (wanted is None or digest(file, size).hexdigest() == wanted):
        return size
    lines = file.read_bytes()[:size].splitlines(keepends=True) if there else []
    good = [line for line in lines if _belongs(line, int(state["step"]))]
    bad = [str(number) for number, line in enumerate(lines, 1) if _step(line) is None]
    if there < size:
        what = f"{there} bytes of the {size} are there that the checkpoint of step {state['step']} relies on"
    elif bad:
        what = f"no record any more in line {', '.join(bad[:8])}"
    else:
        what = f"its first {size} bytes differ from their checksum; which record was changed cannot be told"
    aside = name_aside(file)
    if there:
        shutil.copyfile(file, aside)  # a copy: a kill before the next line leaves the file where it is
    write_whole(file, b"".join(good))
    report(
        f"{file} is damaged: {what}",
        f"training goes on, which does not need it; {len(good)} records are left"
        + (f", the file as it was is {aside.name}" if there else ""),
        "take missing records from a copy or from wandb, if you have one",
    )
    return sum(map(len, good))


def begin_records(file: Path) -> None:
    """Before the first checkpoint an earlier launch's records are written again; what are no records is set aside."""
    if not file.is_file():
        return
    with open_regular(file) as stream:
        first = stream.readline(LONGEST_LINE)
    if first and _step(first) is None:
        aside = set_aside(file)
        report(f"{file} holds other things than records", f"training goes on; the file is now {aside.name}")


def holds_evaluation(file: Path) -> bool:
    """Whether a file has records, and of an evaluation too."""
    if not file.is_file():
        return False
    with open_regular(file) as stream:
        return any(b'"evaluation"' in line and _step(line) is not None for line in stream)


def digest(file: Path, size: int) -> "hashlib._Hash":
    """The SHA-256 of a file's first `size` bytes, to go on with."""
    made = hashlib.sha256()
    if not size:
        return made
    with open_regular(file) as stream:
        while size > 0 and (block := stream.read(min(size, BLOCK))):
            made.update(block)
            size -= len(block)
    return made


def _belongs(line: bytes, step: int) -> bool:
    """A whole record from before the checkpoint: its own evaluation comes after it."""
    found = _step(line)
    if found is None:
        return False
    return found < step or (found == step and json.loads(line).get("kind") == "train")


def _step(line: bytes) -> int | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("kind") not in KINDS or not line.endswith(b"\n"):
        return None
    return record["step"] if isinstance(record.get("step"), int) else None
