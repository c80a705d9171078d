"""The bars by category show the counts and their intervals."""

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.patches import Rectangle

from analysis.category_bars import category_bars
from analysis.summary import write_figures
from tests.analysis.synthetic_run import write_run
from trm_lab.intervals import wilson_interval
from trm_lab.runs.recorded_evaluations import CategoryScores
from trm_lab.runs.recorded_run import read_run


def test_a_bar_for_each_category_with_its_interval(tmp_path: Path, unrendered: None) -> None:
    run = read_run(write_run(tmp_path / "run", arc=False, training_steps=400, puzzles=["sudoku", "maze"]))
    assert category_bars(run.evaluation, "run") is None
    by_givens = CategoryScores("givens", ["17", "18"], [30, 10], [3, 9], [0.5, 0.9], [6, 10])
    tasks = [replace(run.evaluation.tasks[0], categories=by_givens), run.evaluation.tasks[1]]
    fig = category_bars(replace(run.evaluation, tasks=tasks), "run")
    assert fig is not None
    (axes,) = fig.axes
    bars = [patch.get_height() for patch in axes.patches if isinstance(patch, Rectangle)]
    assert bars == [6 / 30, 1.0]
    (errors,) = (lines for lines in axes.collections)
    for segment, counts in zip(errors.get_segments(), ((6, 30), (10, 10)), strict=True):  # type: ignore[attr-defined]
        assert tuple(segment[:, 1]) == pytest.approx(wilson_interval(*counts))
    assert "solved by givens" in axes.get_title(loc="left")
    written = write_figures(replace(run, evaluation=replace(run.evaluation, tasks=tasks)), tmp_path / "figures")
    assert any(path.stem == "by_category" for path in written)
