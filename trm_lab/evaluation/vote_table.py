"""The table of candidates: for each different grid that was voted for, a record of fixed size.

A record is found by its key, which is hashed to the first of the slots where it may be; a record whose slot is taken
has the next free one. At most half of the slots are taken. So a vote costs the same however many candidates there are,
and all votes of a call are counted at once.

Sums of confidences are whole numbers of units of 2^-64 in two parts, so that the order of votes changes nothing.

Legend: N votes, T candidates, K = NUMBERS of a fingerprint.
"""

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.grid_hashes import NUMBERS, Prints

Rows = NDArray[np.intp]

NONE = -1
MOST_VOTES = 1 << 14  # of one call, that the fine parts can add up
LARGEST_CONFIDENCE = 2.0**20

_SMALLEST = 1024  # records that there is room for at first
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)  # odd; spread keys over the slots
_COARSE, _FINE_BITS = 2.0**16, 48  # coarse parts in a whole, and bits of a coarse one


class CandidateTable:
    """Votes and summed confidence of each candidate: a question and the fingerprint of a grid.

    size: T.
    """

    def __init__(self) -> None:
        self.size = 0
        self._keys = np.zeros((_SMALLEST, 1 + NUMBERS), np.int64)  # question, fingerprint
        self._tallies = np.zeros((3, _SMALLEST), np.int64)  # votes; confidence in coarse and in fine parts
        self._slots = np.full(2 * _SMALLEST, NONE)

    @property
    def questions(self) -> NDArray[np.int64]:
        """`[T]`."""
        return self._keys[: self.size, 0]

    @property
    def prints(self) -> Prints:
        """`[T, K]`."""
        return self._keys[: self.size, 1:]

    @property
    def votes(self) -> NDArray[np.int64]:
        """`[T]`."""
        return self._tallies[0, : self.size]

    @property
    def nbytes(self) -> int:
        """Bytes that the records take, with the room for more."""
        return self._keys.nbytes + self._tallies.nbytes + self._slots.nbytes

    def confidence_sums(self, rows: Rows) -> NDArray[np.float64]:
        """Of these candidates `[R]`."""
        _, coarse, fine = self._tallies[:, rows]
        return (coarse + fine / 2.0**_FINE_BITS) / _COARSE

    def add(
        self, questions: NDArray[np.integer], prints: Prints, confidence: NDArray[np.float64]
    ) -> tuple[Rows, Rows]:
        """Count votes `[N]`, at most MOST_VOTES.

        Confidence beyond ±LARGEST_CONFIDENCE counts as that, and NaN as the lowest.

        Returns:
            the different candidates that were voted for, and of each one vote, of 0..N−1.
        """
        assert len(questions) <= MOST_VOTES
        rows = self._rows(np.column_stack([questions, prints]))
        coarse, fine = _parts(confidence)
        np.add.at(self._tallies[0], rows, 1)
        np.add.at(self._tallies[1], rows, coarse)
        np.add.at(self._tallies[2], rows, fine)
        voted, first = np.unique(rows, return_index=True)
        self._tallies[1, voted] += self._tallies[2, voted] >> _FINE_BITS
        self._tallies[2, voted] &= (1 << _FINE_BITS) - 1
        return voted, first

    def find(self, questions: NDArray[np.integer], prints: Prints) -> Rows:
        """The candidates with these questions `[N]` and fingerprints `[N, K]`; NONE where nobody voted for it."""
        keys = np.column_stack([questions, prints])
        slots, rows = self._first_slots(keys), np.full(len(keys), NONE)
        waiting = np.arange(len(keys))
        while len(waiting):
            found = self._slots[slots[waiting]]
            same = (found != NONE) & (self._keys[found] == keys[waiting]).all(1)
            rows[waiting[same]] = found[same]
            waiting = waiting[(found != NONE) & ~same]
            slots[waiting] = self._next(slots[waiting])
        return rows

    def _rows(self, keys: NDArray[np.int64]) -> Rows:
        """The candidates with these keys, new ones where there are none."""
        self._make_room(len(keys))
        slots, rows = self._first_slots(keys), np.full(len(keys), NONE)
        waiting = np.arange(len(keys))
        while len(waiting):
            at = slots[waiting]
            # Of those that come to a free slot the first has it; equal ones then find it there.
            free = np.flatnonzero(self._slots[at] == NONE)
            taken, first = np.unique(at[free], return_index=True)
            new = np.arange(self.size, self.size + len(taken))
            self._keys[new], self._slots[taken] = keys[waiting[free[first]]], new
            self.size += len(new)
            found = self._slots[at]
            same = (self._keys[found] == keys[waiting]).all(1)
            rows[waiting[same]] = found[same]
            waiting = waiting[~same]
            slots[waiting] = self._next(slots[waiting])
        return rows

    def _first_slots(self, keys: NDArray[np.int64]) -> Rows:
        mixed = (keys[:, :2].astype(np.uint64) * _MIX).sum(1)
        return (mixed >> np.uint64(32)).astype(np.intp) & (len(self._slots) - 1)

    def _next(self, slots: Rows) -> Rows:
        return (slots + 1) & (len(self._slots) - 1)

    def _make_room(self, more: int) -> None:
        """For so many new candidates. The room doubles, so that moving costs little on average."""
        room = len(self._keys)
        while room < self.size + more:
            room *= 2
        if room == len(self._keys):
            return
        self._keys = _lengthened(self._keys, room)
        self._tallies = np.stack([_lengthened(tally, room) for tally in self._tallies])
        self._slots = np.full(2 * room, NONE)
        rows, slots = np.arange(self.size), self._first_slots(self._keys[: self.size])
        while len(rows):
            free = self._slots[slots] == NONE
            self._slots[slots[free]] = rows[free]  # of several the last has it
            left = self._slots[slots] != rows
            rows, slots = rows[left], self._next(slots[left])


def _parts(confidence: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Confidences as whole numbers of coarse parts, and of fine ones for the rest."""
    bounded = np.nan_to_num(confidence, nan=-LARGEST_CONFIDENCE).clip(-LARGEST_CONFIDENCE, LARGEST_CONFIDENCE)
    coarse = np.floor(bounded * _COARSE)
    fine = np.rint((bounded * _COARSE - coarse) * 2.0**_FINE_BITS)
    return coarse.astype(np.int64), fine.astype(np.int64)


def _lengthened(array: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    longer = np.zeros((length, *array.shape[1:]), np.int64)
    longer[: len(array)] = array
    return longer
