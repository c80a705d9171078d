"""The figure of how answers to ARC tasks improve, of the samples that training kept; see `analysis.strips`."""

from matplotlib.figure import Figure

from analysis.reading.run_directory import Run, Samples
from analysis.strips import strips_of_samples


def arc_strips(run: Run, samples: Samples) -> Figure:
    """Draw the strips of the chosen samples, one row for each."""
    return strips_of_samples(run, samples)
