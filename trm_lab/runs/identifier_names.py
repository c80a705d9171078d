"""Which puzzle each row of a puzzle table is of: names beside the weights, and rows matched by name.

A checkpoint and an export carry `identifiers.json`, as a dataset does: about 30 bytes for a row of a table that takes
2,000. A dataset built with another seed has as many identifiers and other puzzles behind nearly all of them, so that
rows go by name. N rows of a table, M identifiers of a dataset, E embedding width.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trm_lab.puzzles.layout import BLANK

_ROWS = 1 << 16  # copied at a time


def encoded(names: Sequence[str]) -> bytes:
    """The content of identifiers.json."""
    return json.dumps(list(names)).encode()


@dataclass(frozen=True)
class Match:
    """Where the rows of a dataset's table come from.

    matched: identifiers that have a row of their own name.  wanted: all of them; the blank one is not counted.
    as_is: whether the rows stand already where they belong.
    """

    matched: int
    wanted: int
    as_is: bool

    def remark(self, source: str) -> str:
        """One line for the user."""
        rest = self.wanted - self.matched
        others = f"; the other {rest:,} start at the mean of its rows" if rest else ""
        return f"{source}: {self.matched:,} of the dataset's {self.wanted:,} puzzle embeddings matched by name{others}"


@torch.no_grad()
def fill_by_name(table: Tensor, rows: Tensor, names: Sequence[str], wanted: Sequence[str]) -> Match:
    """Put into `table` `[M, E]` the rows `[N, E]` of the same names; the others become the mean of all rows.

    The blank identifier, which pads batches, keeps its row; in a dataset that has no other one it is the puzzles'
    own, and is matched only with a table of which that is true as well.

    Args:
        names: of the N rows.  wanted: of the M identifiers.
    """
    count = sum(name != BLANK for name in wanted)
    if list(names) == list(wanted):
        table.copy_(rows)
        return Match(count, count, True)
    of_name = {name: row for row, name in enumerate(names) if name != BLANK}
    sources = np.array([of_name.get(name, -1) for name in wanted], np.int64)
    matched = int((sources >= 0).sum())
    if (len(wanted) > 1) == (len(names) > 1) and wanted[0] == names[0] == BLANK:
        sources[0] = 0
    table.copy_(rows.mean(0, keepdim=True).expand_as(table))
    targets = np.flatnonzero(sources >= 0)
    for start in range(0, len(targets), _ROWS):
        part = targets[start : start + _ROWS]
        table[torch.from_numpy(part)] = rows[torch.from_numpy(sources[part])].to(table.dtype)
    return Match(matched, count, False)
