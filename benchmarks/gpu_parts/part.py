"""Runs one part in this process: `python -m benchmarks.gpu_parts.part <module> <file>`.

Each row is written when it is measured, so that a part that is stopped at its limit leaves the rows it has.
"""

import gc
import importlib
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from trm_lab.files.whole_files import write_whole

Row = dict[str, Any]


def run(module: str, file: Path, device: torch.device) -> None:
    """Measure a part; after each row, `file` holds all rows so far as JSON."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    rows: list[Row] = []
    for row in importlib.import_module(f"benchmarks.gpu_parts.{module}").measure(device):
        rows.append({key: _storable(value) for key, value in row.items()})
        write_whole(file, json.dumps(rows))


def read_rows(file: Path) -> list[Row]:
    """The rows that a part has written; [] without a file."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def _storable(value: Any) -> Any:
    """The value; as text if it is not finite, which JSON cannot hold."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def verdict(difference: float, allowed: float) -> str:
    """`agrees` if the difference is at most `allowed`, else (and for nan) `differs`."""
    return "agrees" if difference <= allowed else "differs"


@contextmanager
def forget() -> Iterator[None]:
    """A context that at its end drops what was compiled, and frees the device's memory."""
    try:
        yield
    finally:
        gc.collect()
        torch._dynamo.reset()
        torch.cuda.empty_cache()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), torch.device("cuda", 0))
