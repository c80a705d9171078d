"""How far a long loop is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
_LINES = 10  # lines in all where there is no terminal


def track(items: Sequence[T], doing: str) -> Iterator[T]:
    """The items, reporting on standard error how many are done."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=doing)
        return
    start, every = time.monotonic(), max(1, len(items) // _LINES)
    for done, item in enumerate(items, start=1):
        yield item
        if done % every == 0 or done == len(items):
            print(
                f"{doing}: {done}/{len(items)}, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True
            )
