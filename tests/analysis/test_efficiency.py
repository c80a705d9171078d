"""The efficiency ablation: its numbers are those of metrics.jsonl, in tables and in figures."""

import json
import re
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis import efficiency
from analysis.comparing import ablation_figures, ablation_tables
from analysis.comparing.ablation import Ablation, ablation, front, on_front
from analysis.comparing.ablation_tables import CALLS, FRONT, GRADIENT_CALLS, OPERATIONS, SECONDS
from analysis.comparing.costs import on_gpu
from analysis.summary import summary
from dis_trm.supervision import DISConfig
from tests.analysis.synthetic_run import write_run, write_scored
from trm.act import ACTConfig
from trm.errors import UserError
from trm.model import PuzzleShape, TRMConfig
from trm_lab.configuration.architecture import Architecture
from trm_lab.flops import answer_flops, step_flops
from trm_lab.runs.many_runs import read_runs
from trm_lab.runs.recorded_run import read_run

pytestmark = pytest.mark.usefixtures("unrendered")

BATCH, STEPS = 32, 400
SKILLS = {"dis": 2.4, "trm": 2.9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of DIS and of TRM at T=3 n=6."""
    root = tmp_path_factory.mktemp("sweep")
    for seed in range(3):
        for name, supervision, steps, calls in (("dis", "dis", 6, 3), ("trm", "act", 16, 21)):
            skill = SKILLS[name] * (0.94 + 0.06 * seed)
            write_run(
                root / f"{name}-{seed}", supervision, steps, calls, seed, arc=False, training_steps=STEPS,
                puzzles=["sudoku"], skill=skill,
            )  # fmt: skip
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> Ablation:
    return ablation(read_runs([folder]).runs, "small-sudoku (clean)", "exact", target=0.5)


def records(folder: Path, name: str, kind: str) -> list[list[dict[str, Any]]]:
    """Of each seed, straight from metrics.jsonl."""
    files = sorted(folder.glob(f"{name}-*/metrics.jsonl"))
    every = [[json.loads(line) for line in file.read_text().splitlines()] for file in files]
    return [[record for record in run if record["kind"] == kind] for run in every]


def last_accuracies(folder: Path, name: str) -> list[float]:
    """Of each seed's last evaluation, after the last step."""
    return [run[-1]["scores"]["per_step"]["exact_accuracy"][-1] for run in records(folder, name, "evaluation")]


def test_accuracy_calls_flop_and_time_are_those_of_the_records(found: Ablation, folder: Path) -> None:
    small = {"hidden_size": 32, "num_heads": 2, "L_layers": 1, "puzzle_emb_ndim": 32, "puzzle_emb_len": 1}
    for result, name, cycles, settings in zip(
        found.results, ("dis", "trm"), ((1, 2), (3, 6)), (DISConfig(6), ACTConfig(16)), strict=True
    ):
        last = last_accuracies(folder, name)
        assert [seed.accuracy for seed in result.seeds] == last
        low, high = stats.t.interval(0.95, 2, statistics.fmean(last), stats.sem(last))
        assert (result.accuracy.low, result.accuracy.high) == pytest.approx((low, high))
        trained = records(folder, name, "train")
        calls = [sum(20 * record["network_calls"] for record in run) for run in trained]
        assert result.training(CALLS.of) == statistics.fmean(calls)
        each = [statistics.median(record["timing"]["seconds"] / 20 for record in run) for run in trained]
        assert result.training(SECONDS.of) == pytest.approx(statistics.fmean(each) * STEPS)
        shape = PuzzleShape(16, 6, 1)
        network = TRMConfig(H_cycles=cycles[0], L_cycles=cycles[1], forward_dtype="float32", **small)
        arch = Architecture("dis" if name == "dis" else "act", network, settings)
        assert result.training(OPERATIONS.of) == (step_flops(arch, shape) or 0) * BATCH * STEPS
        steps = settings.halt_max_steps
        assert result.answer(OPERATIONS.of) == (answer_flops(arch, shape) or 0) * steps
        assert result.training(lambda cost: cost.gradient_calls) == (cycles[1] + 1) * STEPS
        assert result.training(lambda cost: cost.joules) is None


def cells(table: str, row: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {row} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_tables_say_what_the_numbers_are(found: Ablation, folder: Path) -> None:
    trained = ablation_tables.training_table(found).markdown()
    exact = last_accuracies(folder, "dis")
    _, accuracy, calls, gradient, flop, wall = cells(trained, "DIS (released code)")
    assert accuracy.startswith(f"{100 * statistics.fmean(exact):.1f} % [")
    assert accuracy.endswith("n=3")
    assert (calls, gradient) == ("1,200 ●", "1,200 ●")
    operations = found.results[0].training(OPERATIONS.of)
    assert flop == f"{operations / 1e9:.3g} GFLOP ●"
    assert wall == "24 s"
    assert "Energy: not recorded." in trained
    answered = ablation_tables.answer_table(found).markdown()
    assert cells(answered, "TRM T=3 n=6")[2:4] == ["16", "336 ●"]


def test_the_figures_show_the_tables_numbers(found: Ablation) -> None:
    fig = ablation_figures.training_figure(found)
    for axes, currency in zip(fig.axes, (CALLS, GRADIENT_CALLS, OPERATIONS, SECONDS), strict=True):
        drawn = {str(line.get_label()): line for line in axes.get_lines()}
        for result in found.results:
            line = drawn[result.method.label]
            assert np.asarray(line.get_xdata())[-1] == result.training(currency.of)
            assert np.asarray(line.get_ydata())[-1] == pytest.approx(result.accuracy.mean)
    calls = ablation_figures.answer_figure(found).axes[0]
    line = next(line for line in calls.get_lines() if line.get_label() == "TRM T=3 n=6 (3 seeds)")
    assert list(np.asarray(line.get_xdata())) == [21 * step for step in range(1, 17)]
    assert np.asarray(line.get_ydata())[-1] == pytest.approx(found.results[1].accuracy.mean)


def test_reaching_the_target_is_a_median_in_which_a_seed_that_does_not_comes_last(folder: Path) -> None:
    for target, reached in ((0.7, ["2 of 3", "400"]), (0.75, ["1 of 3", "not reached"])):
        result = ablation(read_runs([folder]).runs, "", "exact", target)
        table = ablation_tables.target_table(result).markdown()
        assert cells(table, "DIS (released code)")[1:3] == reached


def test_a_target_that_no_seed_reached_is_not_drawn(folder: Path) -> None:
    for target, drawn in ((0.75, True), (0.99, False)):
        fig = ablation_figures.training_figure(ablation(read_runs([folder]).runs, "", "exact", target))
        names = [text.get_text() for text in fig.legends[0].get_texts()]
        assert any(name.startswith("target") for name in names) == drawn


def test_the_front_is_of_points_that_nothing_beats() -> None:
    points = [(1.0, 0.2), (2.0, 0.5), (2.0, 0.4), (3.0, 0.5), (4.0, 0.9), (5.0, 0.1)]
    assert front(points) == [(1.0, 0.2), (2.0, 0.5), (4.0, 0.9)]
    assert on_front((2.0, 0.5), points)
    assert not on_front((3.0, 0.5), points)


def test_the_tables_mark_the_rows_that_no_other_row_beats(tmp_path: Path) -> None:
    """Though DIS had as much at an earlier evaluation, and TRM at an earlier step: a reader sees rows alone."""
    write_run(tmp_path / "dis", steps=6, arc=False, training_steps=STEPS, puzzles=["queens"], skill=2.0)
    write_run(tmp_path / "worse", steps=6, arc=False, training_steps=STEPS, puzzles=["queens"], skill=1.0,
              arch={"feed": "question"})  # fmt: skip
    write_run(tmp_path / "trm", "act", 16, 21, arc=False, training_steps=STEPS, puzzles=["queens"], skill=3.0)
    for run in ("dis", "trm"):
        flat = tmp_path / run / "metrics.jsonl"
        made = [json.loads(line) for line in flat.read_text().splitlines()]
        shares = [one["scores"]["per_step"]["exact_accuracy"] for one in made if one["kind"] == "evaluation"]
        for one in shares:
            one[:] = [shares[-1][-1]] * len(one)
        flat.write_text("".join(json.dumps(one) + "\n" for one in made))
        shutil.rmtree(tmp_path / run / "evaluations")
    found = ablation(read_runs([tmp_path]).runs, "data", "exact")
    for table in (ablation_tables.training_table(found), ablation_tables.answer_table(found)):
        rows = {row[0]: [FRONT in cell for cell in row[2:]] for row in table.rows}
        assert any(rows["DIS (released code)"])
        assert any(rows["TRM T=3 n=6"])
        assert not any(rows["DIS, feed=question"])


def test_the_command_writes_tables_and_figures_and_names_what_is_left_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.yaml").write_text("seed: 0\n")
    efficiency.main([str(folder), str(broken), "--figures-dir", str(tmp_path / "out"), "--metric", "exact"])
    text = capsys.readouterr().out
    stems = {path.stem for path in (tmp_path / "out").iterdir()}
    figures = {"training_cost", "training_cost_column", "inference_cost", "inference_cost_column"}
    assert stems == {"efficiency", *figures}
    assert (tmp_path / "out/efficiency.md").read_text() in text
    assert re.search(r"## Left out\n\n- left out: .*broken: .* has no provenance.json and no metrics", text)
    missing = "measured time of an answer, halting curves: missing in 6 of 6 runs"
    assert f"{missing}; make it with: python evaluate.py " in text
    latex = (tmp_path / "out/efficiency.tex").read_text()
    assert latex.count(r"\begin{tabular}") == 5
    assert r"DIS (released code) & 72.0 \% [" in latex


def test_what_evaluate_py_measured_is_used_and_a_count_unlike_the_formula_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", arc=False, training_steps=400, puzzles=["sudoku"], joules=2.0)
    write_scored(run)
    found = ablation(read_runs([run]).runs, "data")
    assert "as evaluate.py measured it on 1 × cuda" in ablation_tables.answer_table(found).markdown()
    remark = "counted 18,000,000 operations in an answer, the formula says"
    assert any(remark in line for line in found.remarks)
    labels = [axes.get_xlabel() for axes in ablation_figures.answer_figure(found).axes]
    assert labels[2:] == ["time of an answer (measured, whole)", "mean calls, stopping early"]
    assert cells(ablation_tables.training_table(found).markdown(), "DIS (released code)")[-1] == "40 J ●"
    assert len(ablation_figures.training_figure(found).axes) == 5


def test_seconds_of_cpus_are_neither_in_tables_nor_in_figures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", arc=False, training_steps=400, puzzles=["sudoku"], device="x86_64")
    write_scored(run, device="cpu")
    found = ablation(read_runs([run]).runs, "data")
    for table in (ablation_tables.training_table, ablation_tables.answer_table, ablation_tables.target_table):
        assert "wall-clock" not in table(found).header
    for fig in (ablation_figures.training_figure(found), ablation_figures.answer_figure(found)):
        assert not [axes for axes in fig.axes if re.search("second|time", axes.get_xlabel())]
    assert not re.search(r"a second|\d ms", summary(read_run(run)))


@pytest.mark.parametrize(
    ("device", "is_gpu"),
    [("NVIDIA H100 80GB HBM3", True), ("4 × Tesla T4", True), ("AMD Instinct MI300X", True), ("cuda", True),
     ("cpu", False), ("x86_64", False), ("2 × AMD64 Family 25 Model 80", False), ("arm", False), ("unknown", False),
     ("cpu, then NVIDIA H100", False)],
)  # fmt: skip
def test_a_gpu_is_told_from_a_cpu_by_its_name(device: str, is_gpu: bool) -> None:
    assert on_gpu(device) == is_gpu


def test_energy_of_an_answer_is_the_mean_over_seeds_where_each_reported_it(tmp_path: Path) -> None:
    for supervision, joules in (("dis", (0.25, 0.75)), ("act", (None, 0.75))):
        for seed in range(2):
            folder = tmp_path / f"{supervision}-{seed}"
            run = write_run(folder, supervision, seed=seed, arc=False, training_steps=400, puzzles=["sudoku"])
            write_scored(run, joules=joules[seed])
    table = ablation_tables.answer_table(ablation(read_runs([tmp_path]).runs, "data")).markdown()
    assert cells(table, "DIS (released code)")[-1] == "0.5 J"
    assert [line for line in table.splitlines() if line.endswith("| not recorded |")]


def test_flop_of_data_of_unknown_shape_and_metrics_that_runs_lack_are_named_and_not_guessed(tmp_path: Path) -> None:
    write_run(tmp_path / "run", arc=False, training_steps=400)
    found = ablation(read_runs([tmp_path]).runs, "data")
    assert found.results[0].training(OPERATIONS.of) is None
    assert any("FLOP of training are not known" in remark for remark in found.remarks)
    assert cells(ablation_tables.training_table(found).markdown(), "DIS (released code)")[4] == "–"
    labels = [axes.get_xlabel() for axes in ablation_figures.training_figure(found).axes]
    assert "FLOP of training" not in labels
    with pytest.raises(UserError, match=r"exact \| cell") as error:
        efficiency.main([str(tmp_path / "run"), "--metric", "ARC/pass@2"])
    assert "ARC/pass@2" in error.value.given
