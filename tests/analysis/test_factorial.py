"""Runs of every combination of settings, as one design: what each setting does."""

import json
import re
import shutil
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis import factorial as command
from analysis.comparing import panels
from analysis.comparing.factorial_design import Factorial, factorial
from analysis.comparing.factorial_figure import factorial_figure
from analysis.comparing.significance import contrast
from analysis.methods import group
from analysis.metrics import EXACT
from tests.analysis.synthetic_run import write_run, write_scored
from trm.errors import UserError
from trm_lab.runs.many_runs import read_runs
from trm_lab.runs.recorded_run import Run

SWITCHES = {
    "feed": ("prediction", "question"),
    "step_weights": ("linear", "uniform"),
    "target_kernel": ("mask", "reveal"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two seeds of every combination of three switches; `feed` alone does something."""
    folder = tmp_path_factory.mktemp("switches")
    for number, (levels, seed) in enumerate(product(product(*SWITCHES.values()), range(2))):
        skill = 1.5 + 0.4 * (levels[0] == "question") + 0.01 * (number * 7 % 5)
        arch = dict(zip(SWITCHES, levels, strict=True))
        write_run(folder / f"{number}", arc=False, training_steps=40, seed=seed, skill=skill, arch=arch)
    return read_runs([folder]).runs


def study_of(runs: list[Run]) -> Factorial:
    return factorial(group(runs)[0], EXACT)


def test_effects_and_interactions_are_those_of_least_squares(runs: list[Run]) -> None:
    study = study_of(runs)
    assert study.factors == SWITCHES
    signs = np.array(
        [[-1 if run.config["arch"][key] == low else 1 for key, (low, _) in SWITCHES.items()] for run in runs]
    )
    a, b, c = signs.T / 2
    model = np.stack([np.ones(len(runs)), a, b, c, 2 * a * b, 2 * a * c, 2 * b * c], axis=1)
    expected = np.linalg.lstsq(model, np.array([EXACT.of(run.evaluation) for run in runs]), rcond=None)[0][1:]
    names = ["feed: question − prediction", "step_weights: uniform − linear", "target_kernel: reveal − mask"]
    names += ["feed × step_weights", "feed × target_kernel", "step_weights × target_kernel"]
    assert [one.name for one in study.effects] == names
    assert [one.difference.mean for one in study.effects] == pytest.approx(expected)
    assert [one.p_holm is not None and one.p_holm < 0.05 for one in study.effects] == [True, *[False] * 5]


def test_an_effect_is_tested_over_seeds_and_questions(runs: list[Run]) -> None:
    for run in runs:
        write_scored(run.path)
    study = study_of(read_runs([run.path for run in runs]).runs)
    answers = [
        np.array([np.load(run.path / "scored/step_400/examples.npz")["right"] for run in method.runs])
        for method in study.cells.values()
    ]
    signs = [1 / 4 if cell[0] == "question" else -1 / 4 for cell in study.cells]
    assert study.effects[0].difference == contrast(answers, signs)
    assert study.effects[0].over == "seeds, questions"


def test_effects_after_other_numbers_of_steps_are_of_evaluations_with_these(runs: list[Run]) -> None:
    with pytest.raises(UserError) as error:
        factorial(group(runs)[0], EXACT, steps=7)
    assert "2 of 2 runs have no evaluation with 7 steps" in error.value.given
    assert error.value.remedy.endswith("--steps 7, and so for each run")
    for run in runs:
        skill = 1.0 + 0.3 * (run.config["arch"]["target_kernel"] == "reveal")
        write_scored(run.path, "seven", steps=7, skill=skill)
    study = factorial(group(read_runs([run.path for run in runs]).runs)[0], EXACT, steps=7)
    assert study.factors == SWITCHES
    assert all(len(one.network_calls) == 7 for of_cell in study.evaluations.values() for one in of_cell)
    right = {
        cell: np.mean([np.load(run.path / "scored/seven/examples.npz")["right"] for run in method.runs])
        for cell, method in study.cells.items()
    }
    effect = np.mean([right[cell] if cell[2] == "reveal" else -right[cell] for cell in right]) * 2
    assert effect > 0.1
    assert study.effects[2].difference.mean == pytest.approx(effect)


def test_a_combination_that_was_not_run_is_named(runs: list[Run]) -> None:
    absent = {"feed": "question", "target_kernel": "reveal"}
    lacking = [run for run in runs if any(run.config["arch"][key] != level for key, level in absent.items())]
    with pytest.raises(UserError) as error:
        study_of(lacking)
    assert "2 of 8 combinations of feed (prediction, question) × " in error.value.given
    assert "feed=question, step_weights=linear, target_kernel=reveal" in error.value.given
    with pytest.raises(UserError, match="all runs have the same settings"):
        study_of([run for run in runs if run.config["arch"] == runs[0].config["arch"]])


def test_settings_that_move_with_a_factor_are_named_unless_they_make_the_method(tmp_path: Path) -> None:
    for number, (method, seed) in enumerate(product(("dis", "act"), range(2))):
        changes = {"lr": 0.002 if method == "dis" else 0.001}
        write_run(tmp_path / f"{number}", method, arc=False, training_steps=40, seed=seed, changes=changes)
    cells, *_ = command.tables(study_of(read_runs([tmp_path]).runs), EXACT)
    assert cells.header[0] == "method"
    assert cells.notes[1:] == ["method cannot be told apart from what varies with it in these runs: lr."]


def test_a_design_in_which_nothing_moves_together_says_nothing_of_it(runs: list[Run]) -> None:
    assert len(command.tables(study_of(runs), EXACT)[0].notes) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [panels.PAGE, panels.COLUMN])
def test_many_rows_with_long_names_leave_each_panel_its_room(tmp_path: Path, width: float) -> None:
    orders = ("row_major", "solver", "random", "from_both_ends", "backwards")
    for number, (order, lr) in enumerate(product(orders, (0.0005, 0.001, 0.002, 0.004))):
        arch = {"target_order": order, "target_schedule": "immediate" if order == "solver" else "linear"}
        write_run(tmp_path / f"{number}", arc=False, training_steps=40, arch=arch, changes={"lr": lr})
    study = study_of(read_runs([tmp_path]).runs)
    assert len(study.cells) == 20
    fig = factorial_figure(study, EXACT, "Effect of each setting", width)
    FigureCanvasAgg(fig).draw()
    for axes in fig.axes:
        assert axes.bbox.width >= 1.2 * fig.dpi
        assert not any(name.get_text().startswith("method: ") for name in axes.get_yticklabels())
        names = [name.get_window_extent() for name in axes.get_yticklabels()]
        assert min(one.x0 for one in names) >= 0
        assert all(above.y0 >= below.y1 for above, below in pairwise(names))
        marks = [mark.get_window_extent() for mark in axes.get_xticklabels() if mark.get_text()]
        assert all(left.x1 < right.x0 for left, right in pairwise(marks))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of two methods at three learning rates; the best is the second, but for TRM on held-out questions."""
    folder = tmp_path_factory.mktemp("tuned")
    for method, lr, seed in product(("dis", "act"), (0.0005, 0.002, 0.01), range(2)):
        skill = 1.5 + 0.3 * (lr == 0.002) + 0.02 * seed
        name, steps = folder / f"{method}-{lr}-{seed}", 6 if method == "dis" else 16
        run = write_run(name, method, steps, arc=False, training_steps=40, seed=seed, skill=skill, changes={"lr": lr})
        write_scored(run)
        scored = write_scored(run, "held_out", skill=2.0 if (method, lr) == ("act", 0.01) else 1.0) / "scores.json"
        scores = json.loads(scored.read_text())
        scores["evaluated"]["data_paths"] = ["data/held_out"]
        scores["datasets"][0]["fingerprint"] = "1" * 64
        scored.write_text(json.dumps(scores))
    return folder


def test_the_best_setting_of_each_method_is_chosen_on_held_out_questions_and_then_tested(tuned: Path) -> None:
    found = group(read_runs([tuned]).runs)[0]
    study = factorial(found, EXACT)
    assert study.factors == {"method": ("DIS (released code)", "TRM T=1 n=2"), "lr": ("0.0005", "0.002", "0.01")}
    assert len(study.effects) == 3 + 1
    best, tests = command.tables(study, EXACT)[2:]
    assert [row[:2] for row in best.rows] == [["DIS (released code)", "0.002"], ["TRM T=1 n=2", "0.01"]]
    assert best.notes == ["Chosen on held-out questions, those of the test left out, by the mean over seeds."]
    assert [row[0] for row in tests.rows] == ["DIS (released code), lr=0.002 − TRM T=1 n=2, lr=0.01"]


def test_held_out_questions_that_are_the_test_s_choose_nothing(tuned: Path, tmp_path: Path) -> None:
    """TRM at 0.01 answers half of the held-out questions, all of them from the test; at 0.002 40 % of the others."""
    runs = shutil.copytree(tuned, tmp_path / "runs")
    numbers, keys = np.arange(400, dtype=np.uint64), np.array([f"all/{number}" for number in range(400)])
    for run in runs.iterdir():
        right = numbers < 200 if "0.01" in run.name else (numbers >= 200) & (numbers < 240 + 40 * ("0.002" in run.name))
        np.savez(run / "scored/held_out/examples.npz", key=keys, right=right, question=numbers)
        np.savez(run / "scored/step_400/examples.npz", key=keys[:200], right=right[:200], question=numbers[:200])
    best = command.tables(factorial(group(read_runs([runs]).runs)[0], EXACT), EXACT)[2]
    assert [row[1:3] for row in best.rows] == [["0.002", "40.0 %"]] * 2


def test_without_held_out_questions_the_best_are_said_to_be_chosen_on_the_test_and_not_tested(
    tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], unrendered: None
) -> None:
    runs = shutil.copytree(tuned, tmp_path / "runs")
    for file in runs.glob("*/scored/held_out/scores.json"):
        file.unlink()
    command.main([str(runs), "--figures-dir", str(tmp_path / "out")])
    text = capsys.readouterr().out
    assert "Chosen on the test questions themselves, so these scores are too high" in text
    assert "between these" not in text
    assert re.search(r"\| TRM T=1 n=2 \| 0\.002 \|", text)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "factorial.md", *(f"factorial{width}.{kind}" for width in ("", "_column") for kind in ("png", "pdf"))
    }  # fmt: skip
