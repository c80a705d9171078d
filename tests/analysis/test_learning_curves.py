"""The learning curves: what is drawn from which numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.learning_curves import learning_curves, running_mean
from tests.analysis.synthetic_run import write_run
from trm_lab.intervals import wilson_interval
from trm_lab.puzzles.selection import Part
from trm_lab.runs.recorded_run import Run, read_run


def test_the_running_mean_is_centred_skips_nan_and_shrinks_at_the_ends() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0, 9.0])
    np.testing.assert_allclose(running_mean(values, 3), [1.5, 1.5, 3.0, 6.5, 6.5])
    np.testing.assert_array_equal(running_mean(values, 1), values)
    np.testing.assert_array_equal(running_mean(np.full(3, np.nan), 3), np.full(3, np.nan))
    assert running_mean(np.array([]), 3).shape == (0,)


def lines(axes: Axes) -> dict[str, list[float]]:
    return {str(line.get_label()): list(np.asarray(line.get_ydata())) for line in axes.get_lines()}


def test_the_panels_show_the_runs_numbers_and_copying_as_a_dashed_line(run: Run) -> None:
    fig = learning_curves(run)
    loss, training, cells, solved = fig.axes
    assert lines(loss)["one record: mean of its updates"] == run.training.loss.tolist()
    assert list(lines(training)) == [f"step {step}" for step in range(1, 7)]
    assert lines(cells)["after step 6"] == [scores.cell_accuracy[-1] for scores in run.evaluations]
    assert set(lines(cells)["copy the input"]) == {run.evaluation.copy_cell}
    shares = [s.counts["outputs_correct@2"] / s.counts["outputs"] for s in run.evaluations]
    assert lines(solved)["outputs, 2 attempts"] == shares
    assert cells.get_lines()[-1].is_dashed()


def test_what_the_scorer_found_solved_is_a_curve_with_its_intervals(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "one", arc=False, training_steps=400, puzzles=["queens"]))
    solved = learning_curves(run).axes[3]
    assert lines(solved)["solved"] == [5 / 40, 10 / 40, 15 / 40, 20 / 40]
    assert lines(solved)["exact match"] == [scores.exact_accuracy[-1] for scores in run.evaluations]
    assert solved.get_title(loc="left") == "Test: solved (with Wilson 95 % intervals)"
    bars = solved.collections[-1].get_segments()
    assert [tuple(bar[:, 1]) for bar in bars] == [wilson_interval(5 * part, 40) for part in range(1, 5)]
    older = replace(run.evaluations[0], tasks=[])
    later = replace(run, evaluations=[older, *run.evaluations[1:]])
    assert lines(learning_curves(later).axes[3])["solved"] == [10 / 40, 15 / 40, 20 / 40]


def test_a_curve_of_sampled_questions_ends_in_a_star_of_its_own_metric_and_the_heading_is_whole(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "one", arc=False, training_steps=400, puzzles=["queens"]))
    *before, last = run.evaluations
    sampled = [replace(one, examples=500, part=Part(500, 1376, 500)) for one in before]
    fig = learning_curves(replace(run, evaluations=[*sampled, last]))
    stars = {line.get_color(): line.get_ydata()[0] for line in fig.axes[3].get_lines() if line.get_marker() == "*"}
    colours = {str(line.get_label()): line.get_color() for line in fig.axes[3].get_lines()}
    assert stars == {colours["exact match"]: last.exact_accuracy[-1], colours["solved"]: 20 / 40}
    assert stars[colours["exact match"]] != 20 / 40
    FigureCanvasAgg(fig).draw()
    assert fig.texts[0].get_window_extent().x1 <= fig.bbox.x1
    assert "500 of 1,376" in " ".join(fig.get_suptitle().split())
    assert run.name not in fig.get_suptitle()


@pytest.mark.filterwarnings("error")
def test_a_run_without_training_records_or_with_one_evaluation_is_drawn(run: Run) -> None:
    names = ("step", "loss", "seconds", "examples_per_second")
    empty = {name: getattr(run.training, name)[:0] for name in names}
    nothing = replace(run.training, step_accuracy=np.zeros((0, 0)), **empty)
    assert len(learning_curves(replace(run, training=nothing, evaluations=run.evaluations[:1])).axes) == 4


def test_of_one_evaluation_every_mark_is_seen_where_all_scores_are_the_same(run: Run) -> None:
    solved = learning_curves(replace(run, evaluations=run.evaluations[:1])).axes[3]
    marked = [line for line in solved.get_lines() if line.get_marker() not in ("None", "")]
    sizes = [line.get_markersize() for line in marked]
    assert sizes == sorted(set(sizes), reverse=True), "each smaller than the one below it"
    assert len(sizes) == 3
    assert solved.collections[-1].get_zorder() < marked[0].get_zorder()
