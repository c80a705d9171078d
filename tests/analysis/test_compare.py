"""Runs side by side, as a command."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from analysis import compare, style
from analysis.comparing import panels
from analysis.comparing.comparability import check_same_datasets, differences
from analysis.comparing.curves import learning_figure, steps_figure, training_losses
from analysis.comparing.improvement_figure import improvement_figure
from analysis.comparing.pairwise_tests import pair_tests, significance_tests, verdict
from analysis.comparing.probe_figures import draw_halting, guidance_figure, halting_curve, halting_figure, scaling_curve
from analysis.comparing.question_scores import items_of
from analysis.comparing.scored_runs import probed
from analysis.comparing.significance import contrast, holm
from analysis.methods import Method, group
from analysis.metrics import EXACT
from analysis.scores import comparison
from tests.analysis.recorded import RECORDED
from tests.analysis.synthetic_run import write_run, write_scored
from trm.errors import UserError
from trm_lab.runs.recorded_run import read_run
from trm_lab.runs.recorded_scores import HaltingPoint, Scored

pytestmark = pytest.mark.usefixtures("unrendered")


def test_a_missing_run_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match="no/such/run"):
        compare.main(["no/such/run", "nor/this"])


def test_a_comparison_lays_two_methods_side_by_side(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(tmp_path / "trm", supervision="act", steps=16, calls_per_step=21, training_steps=2000)
    compare.main([str(run_folder), str(other), "--figures-dir", str(tmp_path / "figures")])
    text = capsys.readouterr().out
    assert re.search(r"method +DIS \(released code\) +TRM T=3 n=6\n", text)
    assert re.search(r"network calls per answer +18 +336\n", text)
    assert re.search(r"outputs right, 2 attempts +33\.3 % \(15 of 45\) \[21\.4, 47\.9\]", text)
    assert "Not comparable: the runs have different numbers of training steps." in text
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"figures/accuracy_against_network_calls.{suffix}").is_file()


def methods_of(*folders: Path) -> list[Method]:
    return group([read_run(folder) for folder in folders])[0]


def test_runs_tested_on_other_data_are_never_averaged_and_copying_has_one_legend_entry(
    run_folder: Path, tmp_path: Path
) -> None:
    other = write_run(tmp_path / "other", seed=1)
    for file in (*other.glob("evaluations/*/scores.json"), other / "metrics.jsonl"):
        file.write_text(file.read_text().replace("0.712", "0.5"))
    methods = methods_of(run_folder, other)
    assert [len(method.runs) for method in methods] == [1, 1]
    assert "test=1,376 examples (copying: 50.0 % of the cells)" in methods[1].name
    fig = steps_figure(methods, "")
    assert len(fig.axes[0].get_lines()) == 4
    assert [text.get_text() for text in fig.legends[0].get_texts()].count("copy the input") == 1


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of DIS and of TRM, scored with everything."""
    root = tmp_path_factory.mktemp("sweep")
    for seed in range(3):
        for name, supervision, steps, calls in (("dis", "dis", 6, 3), ("trm", "act", 16, 21)):
            run = write_run(
                root / f"{name}-{seed}", supervision, steps, calls, seed, arc=False, training_steps=400,
                puzzles=["sudoku"], skill=1 + seed / 10,
            )  # fmt: skip
            write_scored(run, "step_400-guided-margins", guidance=[0, 1, 2], margin=True)
            write_scored(run, "step_400-more", steps=2 * steps)
    return root


def test_every_figure_is_drawn_over_seeds_and_says_how_many(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, drawn_figures, save = sorted(sweep.iterdir()), [], style.save
    monkeypatch.setattr(style, "save", lambda fig, *path: drawn_figures.append(fig) or save(fig, *path))
    compare.main([*map(str, folders), "--figures-dir", str(tmp_path / "out"), "--metric", "exact"])
    text = capsys.readouterr().out
    stems = {path.stem for path in (tmp_path / "out").iterdir()}
    names = {
        "accuracy_against_network_calls", "compare_learning", "compare_improvement", "compare_guidance",
        "compare_scaling", "compare_halting",
    }  # fmt: skip
    assert stems == names | {f"{name}_column" for name in names}
    assert "missing" not in text
    assert [axes for fig in drawn_figures for axes in fig.axes if not (axes.get_xlabel() and axes.get_ylabel())] == []


def test_losses_recorded_an_update_apart_are_drawn(tmp_path: Path) -> None:
    (method,) = methods_of(*(write_run(tmp_path / str(seed), seed=seed, training_steps=400) for seed in range(2)))
    first, second = method.runs
    later = replace(second, training=replace(second.training, step=second.training.step - 1))
    steps, losses = training_losses(replace(method, runs=[first, later]))
    assert (steps.tolist(), losses.shape) == (list(range(19, 400, 20)), (2, 20))


def drawn(axes: Axes) -> dict[str, list[float]]:
    return {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in axes.get_lines()}


def test_curves_are_means_over_the_seeds_records(sweep: Path) -> None:
    methods = methods_of(*sorted(sweep.iterdir()))
    runs = methods[0].runs
    learning = learning_figure(methods, EXACT, "")
    exact = [[scores.exact_accuracy[-1] for scores in run.evaluations] for run in runs]
    assert drawn(learning.axes[1])["DIS (released code) (3 seeds)"] == pytest.approx(np.mean(exact, axis=0))
    steps, losses = training_losses(methods[0])
    assert steps.tolist() == runs[0].training.step.tolist()
    assert drawn(learning.axes[0])["DIS (released code) (3 seeds)"] == pytest.approx(losses.mean(0))
    assert set(drawn(learning.axes[2])["copy the input"]) == {runs[0].evaluation.copy_cell}
    band = learning.axes[1].collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == max(map(max, exact))


def test_probes_show_what_evaluate_py_found(sweep: Path) -> None:
    methods = methods_of(*sorted(sweep.iterdir()))
    scored = [next(one for one in run.scored if one.margin) for run in methods[0].runs]
    probes = probed(methods, lambda one: one.margin is not None)
    improvement = improvement_figure(probes, "")
    assert improvement is not None
    after, cells, fell, trained, towards, trained_towards = improvement.axes
    narrow = improvement_figure(probes, "", panels.COLUMN)
    assert narrow is not None
    assert len(narrow.axes) == 6
    kept = [one.improvement for one in scored if one.improvement]
    measured = {
        after: [[one.answer.before[0], *one.answer.after] for one in kept],
        fell: [one.answer.fell_by for one in kept],
        trained: [one.trained_answer.fell_by for one in kept if one.trained_answer],
        towards: [one.target.fell_by for one in kept if one.target],
        trained_towards: [one.trained_target.fell_by for one in kept if one.trained_target],
        cells: [one.answer.cells_improved for one in kept],
    }
    for axes, values in measured.items():
        assert drawn(axes)["DIS (released code) (3 seeds)"] == pytest.approx(np.mean(values, axis=0))
    means = [one.margin.mean for one in scored if one.margin]
    beside = [list(line.get_ydata()) for line in fell.get_lines() if str(line.get_label()).startswith("_")]
    assert pytest.approx(np.mean(means, axis=0)) in beside
    guided = guidance_figure(probes, "")
    at_two = np.mean([one.guidance[2.0].exact_accuracy[-1] for one in scored])
    assert drawn(guided.axes[0])["DIS (released code) (3 seeds)"][-1] == pytest.approx(at_two)
    steps, shares = scaling_curve(methods[0], EXACT)
    assert steps == list(range(1, 13))
    longer = [next(one for one in run.scored if one.supervision_steps == 12) for run in methods[0].runs]
    assert shares == [one.evaluation.exact_accuracy for one in longer]
    counts = [one.over_steps.first_right for one in scored if one.over_steps]
    halting = halting_figure(probes, "")
    first = np.mean([np.array(row[1:]) / sum(row) for row in counts], axis=0)
    assert drawn(halting.axes[0])["DIS (released code) (3 seeds)"] == pytest.approx(first)
    fixed = halting_curve(probes[0][1], "fixed")
    assert [calls for calls, _ in fixed] == [3, 6, 9, 12, 15, 18]


def test_a_halting_curve_joins_thresholds_in_their_order_and_single_settings_are_points() -> None:
    def scored(*points: tuple[str, float, float]) -> Scored:
        halting = [HaltingPoint(policy, at, 0.5, 0.5, calls, 1.0) for policy, at, calls in points]
        return cast(Scored, SimpleNamespace(halting=halting))

    three = scored(*(("confidence", -at, calls) for at, calls in ((1.0, 9.0), (3.0, 3.0), (2.0, 12.0))))
    assert [calls for calls, _ in halting_curve([three], "confidence")] == [3.0, 12.0, 9.0]
    steps = [("fixed", 1.0, 3.0), ("agreement", 2.0, 6.0), ("agreement", 3.0, 9.0), ("agreement", 4.0, 12.0)]
    thresholds = [("q_halt", 0.1, 4.0), ("q_halt", 0.9, 5.0), *(("confidence", -at, 9 - at) for at in (1.0, 2.0, 3.0))]
    axes = Figure().subplots()
    draw_halting(axes, [(Method("DIS", [], 0, {}, dashes="--"), [scored(*steps, *thresholds)])])
    joined = {str(line.get_marker()): line.get_linestyle() for line in axes.get_lines()}
    assert joined == {"o": "None", "x": "None", ".": "None", "+": "--", "s": "None"}


def test_an_evaluation_from_before_improvement_was_measured_shows_its_margins(sweep: Path) -> None:
    (method, *_) = methods_of(*sorted(sweep.iterdir()))
    (old,) = [replace(one, improvement=None) for one in method.runs[0].scored if one.margin]
    figure = improvement_figure([(method, [old])], "")
    assert figure is not None
    assert old.margin is not None
    positive, mean = figure.axes
    assert drawn(mean)["DIS (released code) (1 seed), margin"] == old.margin.mean
    assert drawn(positive)["DIS (released code) (1 seed), margin"] == old.margin.share_positive


def test_seeds_of_a_method_may_differ_and_differences_stay_within_what_shares_can_be() -> None:
    runs = [read_run(RECORDED / f"sudoku4_{method}_{seed}") for method in ("dis", "trm_compact") for seed in range(2)]
    text = compare.report(runs, group(runs)[0], EXACT)
    assert "Not comparable" not in text
    assert re.search(r"\[−100\.0, \+100\.0\] .* > 100 ", text)


def test_many_runs_are_a_table_of_methods_with_tests_between_them(sweep: Path, tmp_path: Path) -> None:
    seventh = write_run(tmp_path / "late", "dis", arc=False, training_steps=400, puzzles=["sudoku"], seed=3)
    runs = [read_run(folder) for folder in [*sorted(sweep.iterdir()), seventh]]
    methods, _ = group(runs)
    text = compare.report(runs, methods, EXACT)
    shares = [0.3, 0.33, 0.36, 0.3]
    low, high = stats.t.interval(0.95, 3, np.mean(shares), stats.sem(shares))
    interval = rf"\[{100 * low:.1f}, {100 * high:.1f}\], n=4"
    assert re.search(rf"DIS \(released code\) +18 +400 +32\.\d % {interval}", text)
    assert "different seeds" not in text
    error = np.hypot(stats.sem(shares), stats.sem(shares[:3]))
    p = 2 * stats.t.sf((np.mean(shares[:3]) - np.mean(shares)) / error, 2)  # 3 against 4 seeds
    assert re.search(rf"DIS \(released code\) − TRM T=3 n=6 +\S+ .* {p:.3f} +{p:.3f} +\S+ +seeds\n", text)
    assert "over seeds: for other seeds on these very questions (python evaluate.py RUN makes" in text
    (line,) = [line for line in compare.missing_pieces(methods) if "advantage margins" in line]
    command = f"python evaluate.py {seventh} --margin"
    assert line == f"advantage margins: missing in 1 of 7 runs; make it with: {command}"


def test_methods_are_tested_on_the_questions_that_both_answered_and_single_runs_are_said_to_be_such(
    sweep: Path, tmp_path: Path
) -> None:
    methods = methods_of(*sorted(sweep.iterdir()))
    (test,) = pair_tests(methods, EXACT)
    answers = [
        np.array([np.load(run.path / "scored/step_400-guided-margins/examples.npz")["right"] for run in one.runs])
        for one in methods
    ]
    assert (test.over, test.difference) == ("seeds, questions", contrast(answers, (1, -1)))
    assert test.detectable == test.difference.detectable(0.05)
    singles = two_runs(tmp_path, "queens", "queens")
    assert compare.report([read_run(run) for run in singles], methods_of(*singles), EXACT).count("Differences") == 0
    assert f"make it with: python evaluate.py {singles[0]}" in compare.missing_pieces(methods_of(*singles))[0]
    singles.append(write_run(tmp_path / "third", "dis", 8, 3, arc=False, training_steps=400, puzzles=["queens"]))
    for run, skill in zip(singles, (1, 1.05, 1.1), strict=True):
        write_scored(run, skill=skill)
    tests = pair_tests(methods_of(*singles), EXACT)
    assert [one.over for one in tests] == ["questions"] * 3
    assert [one.p_holm for one in tests] == holm([one.difference.p_two_sided for one in tests])
    assert [one.detectable for one in tests] == [one.difference.detectable(0.05 / 3) for one in tests]
    with np.load(singles[2] / "scored/step_400/examples.npz") as kept:
        columns = dict(kept) | {"question": np.arange(400, dtype=np.uint64)}
    for run, questions in zip(singles[:2], (columns["question"], columns["question"][::-1]), strict=True):
        np.savez(run / "scored/step_400/examples.npz", **columns | {"question": questions})
    assert [one.over for one in pair_tests(methods_of(*singles), EXACT)] == ["questions", "seeds", "questions"]


def test_unseen_leaves_out_the_questions_that_stand_in_training_or_says_why_it_cannot(
    sweep: Path, tmp_path: Path
) -> None:
    methods = methods_of(*sorted(shutil.copytree(sweep, tmp_path / "sweep").iterdir()))
    with pytest.raises(UserError, match="not every run says of each question whether it stands in training") as error:
        pair_tests(methods, EXACT, unseen=True)
    assert error.value.remedy == f"score every run again: python evaluate.py {methods[0].runs[0].in_command}"
    standing = np.arange(400) % 4 == 0
    answers = []
    for method in methods:
        files = [run.path / "scored/step_400-guided-margins/examples.npz" for run in method.runs]
        columns = [dict(np.load(file)) | {"question_in_training": standing} for file in files]
        answers.append(np.array([one["right"][~standing] for one in columns]))
        for file, one in zip(files, columns, strict=True):
            np.savez(file, **one)
    (test,) = pair_tests(methods, EXACT, unseen=True)
    assert (test.difference.mean, test.questions) == (pytest.approx(contrast(answers, (1, -1)).mean), 300)
    text = significance_tests(methods, EXACT, unseen=True)
    assert text.startswith("Differences in exact match, on the questions that are not in training\n")
    assert "in points, that 3 seeds of each and 300 questions show with 80 % probability" in text
    for method in methods:
        for run in method.runs:
            file = run.path / "scored/step_400-guided-margins/examples.npz"
            np.savez(file, **dict(np.load(file)) | {"question_in_training": standing | True})
    with pytest.raises(UserError, match="fewer than two questions that are not in training"):
        pair_tests(methods, EXACT, unseen=True)


def test_the_tests_say_in_a_sentence_what_was_shown(sweep: Path) -> None:
    methods = methods_of(*sorted(sweep.iterdir()))
    (test,) = pair_tests(methods, EXACT)
    names = [method.name for method in methods]
    for p, mean, start in (
        (0.2, 0.1, f"No difference shown between {names[0]} and {names[1]}: 95 % interval −91.8 to +73.8 points, p"),
        (
            0.01,
            0.1,
            f"{names[0]} is 10.0 points above {names[1]}: 95 % interval −91.8 to +73.8 points, p (Holm) 0.010.",
        ),
        (0.01, -0.1, f"{names[1]} is 10.0 points above {names[0]}: "),
    ):
        difference = replace(test.difference, mean=mean, low=-0.918, high=0.738)
        assert verdict(*methods, replace(test, p_holm=p, difference=difference)).startswith(start)
    assert verdict(*methods, replace(test, p_holm=None)) == ""
    assert significance_tests(methods, EXACT).splitlines()[-1] == verdict(*methods, test)


def test_what_weights_the_scores_are_of_and_where_each_question_s_scores_are_is_told(tmp_path: Path) -> None:
    common: dict[str, Any] = {"arc": False, "training_steps": 400, "puzzles": ["sudoku"]}
    runs = [write_run(tmp_path / str(seed), seed=seed, changes={"ema": True}, **common) for seed in range(2)]
    scored = write_scored(runs[0], "step_400-raw")
    record = (scored / "scores.json").read_text()
    (scored / "scores.json").write_text(record.replace('"weights": "auto"', '"weights": "raw"'))
    average, raw = compare.weights_remarks(methods_of(*runs))
    assert average.startswith("2 of 2 runs: scores are of averaged weights (ema), 67 % of which is still where")
    assert raw.startswith(
        "not shown: evaluations with --weights raw or ema, 1; to test two: python evaluate.py --compare "
    )
    assert any("scores of each question" in line for line in compare.missing_pieces(methods_of(*runs)))
    for run in runs:  # training keeps them, too
        shutil.copy(scored / "examples.npz", run / "evaluations/step_400")
    assert not any("scores of each question" in line for line in compare.missing_pieces(methods_of(*runs)))


def test_questions_are_tested_by_the_answers_whose_score_is_shown(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", arc=False, training_steps=400, puzzles=["sudoku"])
    again = write_scored(run, "step_400")
    file = run / "evaluations/step_400/examples.npz"
    shutil.copy(again / "examples.npz", file)
    with np.load(file) as kept:
        columns = dict(kept)
    np.savez(again / "examples.npz", **columns | {"right": ~columns["right"]})
    (method,) = methods_of(run)
    (items,) = items_of(method, EXACT)
    assert list(items.scores.values()) == columns["right"].tolist()


def two_runs(folder: Path, *kinds: str, protocols: tuple[str, str] = ("clean", "clean")) -> list[Path]:
    methods = zip((("dis", 6, 3), ("act", 16, 21)), kinds, protocols, strict=True)
    common: dict[str, Any] = {"arc": False, "training_steps": 400}
    return [
        write_run(folder / method, method, steps, calls, puzzles=[kind], protocol=protocol, **common)
        for (method, steps, calls), kind, protocol in methods
    ]


def test_solved_is_compared_against_network_calls_where_one_scorer_judged_all_runs(tmp_path: Path) -> None:
    runs = [read_run(path) for path in two_runs(tmp_path, "queens", "queens")]
    *_, solved, _ = steps_figure(group(runs)[0], "").axes
    for line, run in zip(solved.get_lines(), runs, strict=True):
        assert list(line.get_xdata()) == run.evaluation.network_calls
        assert list(line.get_ydata()) == run.evaluation.tasks[0].solved_shares
    assert re.search(r"solved +50\.0 % \(20 of 40\) .* 50\.0 % \(20 of 40\)", comparison(runs).text())
    other = replace(runs[0].evaluation.tasks[0], version=2, facts={"side": 4, "seed": 7})
    (warning,) = differences([runs[0], replace(runs[0], evaluation=replace(runs[0].evaluation, tasks=[other]))])
    assert "different versions of the dataset; different settings of the dataset" in warning


def test_runs_on_other_datasets_or_protocols_are_not_compared(tmp_path: Path) -> None:
    for kind, protocol in (("maze", "clean"), ("queens", "published")):
        first, second = two_runs(tmp_path / kind, "queens", kind, protocols=("clean", protocol))
        with pytest.raises(UserError, match=f"small-{kind} .{protocol}") as error:
            compare.main([str(first), str(second)])
        assert {str(first), str(second)} <= set(re.findall(r"[^ ,:;]+", error.value.given))
        assert not (first / "figures").exists()


def test_datasets_that_say_nothing_of_themselves_and_older_runs_are_compared(tmp_path: Path) -> None:
    queens, maze = (read_run(path) for path in two_runs(tmp_path, "queens", "maze"))
    older = replace(maze, evaluation=replace(maze.evaluation, tasks=[]))
    unknown = replace(maze.evaluation.tasks[0], version=0)
    unnamed = replace(maze, evaluation=replace(maze.evaluation, tasks=[unknown]))
    check_same_datasets([queens, older, unnamed, queens])
    assert len(steps_figure(group([queens, older])[0], "").axes) == 3
    assert "versions" not in " ".join(differences([queens, older]))


def test_what_is_left_out_is_told_in_one_line_and_commands_can_be_copied(tmp_path: Path) -> None:
    one = write_run(tmp_path / "o n $e", arc=False, training_steps=400, puzzles=["sudoku"])
    write_run(tmp_path / "broken", arc=False, training_steps=400, puzzles=["sudoku"])
    (tmp_path / "broken/metrics.jsonl").write_text("{\n{}\n")
    with pytest.raises(UserError) as error:
        compare.main([str(tmp_path)])
    assert "\\n" not in error.value.given
    assert f"; left out: {tmp_path / 'broken'}: " in error.value.given
    assert error.value.remedy.endswith(f"python -m analysis.summary '{one}'")
    (line,) = [line for line in compare.missing_pieces(group([read_run(one)])[0]) if "margins" in line]
    assert line.endswith(f"python evaluate.py '{one}' --margin")
