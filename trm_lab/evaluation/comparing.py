"""Two evaluations that are there, tested against each other."""

from pathlib import Path

from trm.randomness import numpy_generator
from trm_lab.evaluation.comparison import compare_evaluations, comparison_table
from trm_lab.runs.questions import Questions, read_questions


def compare_folders(first: Path, second: Path, common: bool = False) -> None:
    """Print the comparison of two evaluations' folders; the same folders give the same numbers.

    common: on the tasks that both have, where one has more.

    Raises:
        UserError: a folder that is no evaluation, or two that cannot be compared.
    """
    print(comparison_table(compare_evaluations(first, second, numpy_generator(0, "comparison"), common)))
    both = [read_questions(folder) for folder in (first, second)]
    if both[0].augmentations != both[1].augmentations:
        print(f"  augmentations that vote are not as many: {'; '.join(map(_augmented, both))}")


def _augmented(one: Questions) -> str:
    number = "all of the dataset" if one.augmentations is None else str(one.augmentations)
    return f"{one.title}: {number}"
