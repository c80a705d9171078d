"""Names of the puzzles that the rows of a puzzle table belong to, and rows matched by name.

A checkpoint and an export carry `identifiers.json`, as a dataset does: about 30 bytes for a row of a table that takes
2,000. A dataset that was built with another seed has as many identifiers, but other puzzles behind nearly all of them;
so rows go by name. N rows of a saved table, M identifiers of a dataset, E embedding width.
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

    matched: identifiers of the dataset that have a row of their own name.
    identifiers: all of them, without the blank one.
    as_is: whether all rows are in the dataset's order already.
    """

    matched: int
    identifiers: int
    as_is: bool

    def remark(self, source: str) -> str:
        """One line for the user."""
        unmatched = self.identifiers - self.matched
        others = f"; the other {unmatched:,} start at the mean of its rows" if unmatched else ""
        total = f"{self.identifiers:,} puzzle embeddings"
        return f"{source}: {self.matched:,} of the dataset's {total} matched by name{others}"


@torch.no_grad()
def fill_by_name(table: Tensor, rows: Tensor, row_names: Sequence[str], identifiers: Sequence[str]) -> Match:
    """Put into `table` `[M, E]` the rows `[N, E]` of the same names; the others become the mean of all rows.

    The blank identifier, which pads batches, keeps its row. In a dataset without any other identifier it stands for
    the puzzles themselves, and is matched only with a table of which the same is true.

    Args:
        row_names: of the N rows.
        identifiers: the dataset's M names.
    """
    count = sum(name != BLANK for name in identifiers)
    if list(row_names) == list(identifiers):
        table.copy_(rows)
        return Match(count, count, True)
    row_of = {name: row for row, name in enumerate(row_names) if name != BLANK}
    sources = np.array([row_of.get(name, -1) for name in identifiers], np.int64)  # [M], -1: no row
    matched = int((sources >= 0).sum())
    if (len(identifiers) > 1) == (len(row_names) > 1) and identifiers[0] == row_names[0] == BLANK:
        sources[0] = 0
    table.copy_(rows.mean(0, keepdim=True).expand_as(table))
    targets = np.flatnonzero(sources >= 0)
    for start in range(0, len(targets), _ROWS):
        part = targets[start : start + _ROWS]
        table[torch.from_numpy(part)] = rows[torch.from_numpy(sources[part])].to(table.dtype)
    return Match(matched, count, False)
