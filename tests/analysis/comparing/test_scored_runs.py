"""Which evaluation by evaluate.py stands for a run, and the curve over more or fewer steps that it gives."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.compare import missing_pieces
from analysis.comparing import panels
from analysis.comparing.probe_figures import scaling_curve, scaling_figure
from analysis.comparing.question_scores import held_out
from analysis.comparing.scored_runs import by_steps, plain_scored
from analysis.methods import Method, group
from analysis.metrics import EXACT, SOLVED, arc_metric
from tests.analysis.synthetic_run import write_run, write_scored
from trm_lab.runs.recorded_run import read_run

pytestmark = pytest.mark.usefixtures("unrendered")
PASS_AT_2 = arc_metric("ARC/pass@2")


def made(folder: Path, *steps: int | None, seed: int = 0, arc: bool = False, trained: int = 6) -> Path:
    """A run that evaluate.py has evaluated with these numbers of supervision steps; None: as trained."""
    run = write_run(folder, steps=trained, seed=seed, arc=arc, training_steps=12_000, puzzles=["sudoku"] * (not arc))
    for number in steps:
        write_scored(run, f"steps{number}", steps=number)
    return run


def method_of(*runs: Path) -> Method:
    (method,) = group([read_run(run) for run in runs])[0]
    return method


def changed(scored: Path, **values: object) -> None:
    file = scored / "scores.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_another_checkpoint_of_the_same_run_never_stands_for_the_compared_one(tmp_path: Path) -> None:
    """Only between seeds is nearly as many updates as many."""
    run = made(tmp_path / "run", None, 24)
    for scored in (run / "scored").iterdir():
        changed(scored, step=11_980)
    method = method_of(run)
    assert plain_scored(method.runs[0], 12_000) is None
    assert by_steps(method.runs[0], 12_000) == {}
    assert [
        line for line in missing_pieces([method]) if line.startswith("stopping early: 1 of 1 runs have it of another")
    ]
    changed(run / "scored/stepsNone", step=12_000)
    assert plain_scored(method_of(run).runs[0], 12_003) is not None, "12,003 is where other seeds end"


def test_questions_of_other_data_are_answered_by_the_compared_checkpoint(tmp_path: Path) -> None:
    run = made(tmp_path / "run", None)
    other = {"path": "data/o", "name": "o", "version": 1, "protocol": "clean", "fingerprint": "1" * 64, "split": "test"}
    evaluated = {"data_paths": ["data/o"], "weights": "auto", "identifiers": "correct", "supervision_steps": None}
    changed(run / "scored/stepsNone", datasets=[other], evaluated=evaluated)
    assert len(held_out([method_of(run)], EXACT)) == 1
    changed(run / "scored/stepsNone", step=11_980)
    assert held_out([method_of(run)], EXACT) == []


@pytest.mark.parametrize(
    ("made_of_seeds", "end"), [(([24], [12]), 12), (([24], []), 6), (([2], [2]), 6), (([24, None], [24]), 24)]
)
def test_a_curve_goes_as_far_as_all_seeds_do(
    tmp_path: Path, made_of_seeds: tuple[list[int | None], ...], end: int
) -> None:
    runs = [made(tmp_path / str(seed), *steps, seed=seed) for seed, steps in enumerate(made_of_seeds)]
    method = method_of(*runs)
    steps, values = scaling_curve(method, EXACT)
    assert (steps, [len(row) for row in values]) == (list(range(1, end + 1)), [end] * 2)
    lines = [line for line in missing_pieces([method]) if line.startswith("more steps")]
    assert len(lines) == (end <= 6)


def test_the_run_without_more_steps_is_named(tmp_path: Path) -> None:
    runs = [made(tmp_path / "with", 24), made(tmp_path / "without", seed=1)]
    (line,) = [line for line in missing_pieces([method_of(*runs)]) if line.startswith("more steps")]
    assert line.endswith(f"make it with: python evaluate.py {runs[1]} --steps 24")


def test_an_evaluation_without_the_metric_is_passed_over(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 24)
    changed(run / "scored/steps24", tasks=[])
    assert scaling_curve(method_of(run), SOLVED)[0] == [1, 2, 3, 4, 5, 6]


def ticks(fig: Figure | None) -> list[int]:
    assert fig is not None
    return np.asarray(fig.axes[0].get_xticks()).tolist()


def test_votes_have_a_tick_at_each_number_of_steps_and_no_figure_of_the_trained_number_alone(tmp_path: Path) -> None:
    assert ticks(scaling_figure([method_of(made(tmp_path / "a", 24, 96, arc=True))], PASS_AT_2, "")) == [6, 24, 96]
    assert ticks(scaling_figure([method_of(made(tmp_path / "b", 2, arc=True))], PASS_AT_2, "")) == [2, 6]
    assert scaling_figure([method_of(made(tmp_path / "c", None, arc=True))], PASS_AT_2, "") is None
    assert scaling_figure([method_of(made(tmp_path / "d", 2))], EXACT, "") is None, (
        "steps that the trained answer tells"
    )


def test_a_curve_has_ticks_at_powers_of_two_at_its_end_and_at_the_trained_numbers(tmp_path: Path) -> None:
    runs = [made(tmp_path / "sixteen", 66, trained=16), made(tmp_path / "seven", 2, trained=7)]
    methods, _ = group([read_run(run) for run in runs])
    page = scaling_figure(methods, EXACT, "")
    assert ticks(page) == [1, 2, 4, 7, 8, 16, 32, 66]
    assert page is not None
    rings = [line.get_xdata() for line in page.axes[0].get_lines() if line.get_markerfacecolor() == "none"]
    assert sorted(np.concatenate(rings).tolist()) == [7, 16]
    assert ticks(scaling_figure(methods, EXACT, "", panels.COLUMN)) == [1, 2, 4, 7, 16, 32, 66], "8 would touch 7"
