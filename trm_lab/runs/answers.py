"""Answers to a test split as they are kept: questions, labels, and what was predicted after each step.

B rows, S supervision steps, L grid tokens.
"""

from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL


@dataclass(frozen=True)
class Answers:
    """Questions, answers and what is known of them.

    set_name: the set that all rows are of.  first: place of the first row among all examples of the evaluation.
    inputs: `[B, L]` of `token_dtype`.  labels: `[B, L]` of `label_dtype`, −100 where not scored.
    puzzle_identifiers: `[B]` int32, the puzzle's own whatever the model was given.
    predictions: `[B, S, L]` of `token_dtype`.  q_halt_logits: `[B, S]` float32.
    confidence: `[B, S]` float64.  loss: `[B]` float64, of the last step.  network_calls: `[S]`, summed up.
    probes: `[B, S, …]` by name.
    """

    set_name: str
    first: int
    inputs: NDArray[np.integer[Any]]
    labels: NDArray[np.integer[Any]]
    puzzle_identifiers: NDArray[np.int32]
    predictions: NDArray[np.integer[Any]]
    q_halt_logits: NDArray[np.float32]
    confidence: NDArray[np.float64]
    loss: NDArray[np.float64]
    network_calls: list[int]
    probes: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.puzzle_identifiers)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """`[B, L]`: tokens with a known answer."""
        return self.labels != IGNORE_LABEL

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, rows first; the probes' among them."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in own.items() if isinstance(value, np.ndarray)} | self.probes


def question_digests(questions: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
    """`[B]`: 64 bits that tell questions `[B, L]` apart, the same for every type in which tokens are stored."""
    rows = questions.astype("<i4")
    return np.array(
        [int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest(), "little") for row in rows], np.uint64
    )
