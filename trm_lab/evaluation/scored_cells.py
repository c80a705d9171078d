"""Which tokens of an example count as cells of its answer. E examples, L tokens."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.cube.tokens import CUBE_END
from trm_lab.puzzles.text.tokens import END

_ENDS = {"answer": END, "reasoning_gym": END, "cube": CUBE_END}  # scorer → what fills its labels behind an answer


def answer_cells(scorer: str, labels: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """`[E, L]`: the tokens that count as cells, of labels `[E, L]`.

    An answer that ends counts up to and including its end: what fills the label behind it would make most of the cells,
    and be learned first. A prediction that is too long is wrong where the end should be; one that is too short ends
    where it should not. Everywhere else all tokens with a label count.

    scorer: that of the dataset, "" for none.
    """
    labelled = labels != IGNORE_LABEL
    if scorer not in _ENDS:
        return labelled
    ends = labelled & (labels == _ENDS[scorer])
    return labelled & (np.cumsum(ends, axis=1) - ends == 0)
