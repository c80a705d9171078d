"""Two evaluations that are there, tested against each other."""

from pathlib import Path

from trm.evaluation.comparison import compare, comparison_table
from trm.evaluation.scored_items import read_items
from trm.randomness import numpy_generator


def compare_folders(first: Path, second: Path, common: bool = False) -> None:
    """Print the comparison of two evaluations' folders; the same folders give the same numbers.

    common: on the tasks that both have, where one has more.

    Raises:
        UserError: a folder that is no evaluation, or two that cannot be compared.
    """
    found = compare(read_items(first), read_items(second), numpy_generator(0, "comparison"), common)
    print(comparison_table(found))
