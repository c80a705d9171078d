"""Scorer of puzzles whose rules nobody wrote down: an answer is right where it is the one of the dataset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.scorer import SOLVED, Scorer


def tokens_scorer(facts: Mapping[str, Any]) -> Scorer:
    """The scorer; "solved": every scored token is the label's."""

    def judge(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        return {SOLVED: ((predictions == labels) | (labels == IGNORE_LABEL)).all(1)}

    return judge
