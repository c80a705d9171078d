"""The figure of how answers to other puzzles than ARC improve, of samples that training kept; see `analysis.strips`."""

from matplotlib.figure import Figure

from analysis.drawing.puzzle_pictures import picture_of
from analysis.reading.run_directory import Run, Samples
from analysis.strips import strips_of_samples


def can_be_drawn(run: Run) -> bool:
    """Whether the first dataset of the run, which stored samples are of, has a picture."""
    tasks = run.evaluation.tasks
    return bool(tasks) and picture_of(tasks[0].scorer, tasks[0].facts) is not None


def puzzle_strips(run: Run, samples: Samples) -> Figure:
    """Draw the strips of the chosen samples of the run's first dataset, one row for each; see `can_be_drawn`."""
    return strips_of_samples(run, samples)
