"""Right answers against network calls with more rollouts: what is chosen, where, and what it is read off."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis import search
from analysis.comparing.search_study import study
from analysis.methods import group
from tests.analysis.synthetic_run import write_run, write_scored
from trm.errors import UserError
from trm_lab.runs.recorded_run import read_run

STEPS, WIDTH, COUNT = 6, 4, 40


def write_search(run: Path, noise: float, share: float, held_out: bool = False, first_question: int = 0) -> None:
    """An evaluation by four rollouts, of which each is right at the last step on a share of the questions."""
    folder = write_scored(run, f"step_400-noise{noise}{'-held-out' * held_out}")
    scores = json.loads((folder / "scores.json").read_text())
    scores["network_calls_per_answer"] *= WIDTH
    scores["evaluated"]["search"] = {"width": WIDTH, "noise": noise, "start": "trained", "symmetries": False}
    if held_out:
        scores["evaluated"]["data_paths"] = ["data/held-out"]
        scores["datasets"][0] |= {"path": "data/held-out", "fingerprint": "1" * 64}
    point = {"width": WIDTH, "step": STEPS, "network_calls": 72, "right": share}
    scores["search"] = {"points": [{"select": name, **point} for name in ("confidence", "vote", "valid", "oracle")]}
    (folder / "scores.json").write_text(json.dumps(scores))
    shape, questions = (COUNT, STEPS, WIDTH), np.arange(COUNT)
    right = np.zeros(shape, np.uint8)
    for rollout in range(WIDTH):  # each rollout solves other questions
        right[(questions + 3 * rollout) % COUNT < share * COUNT, -1, rollout] = 1
    numbers = dict.fromkeys(("q_halt_logits", "log_probability", "change", "unchanged"), np.zeros(shape, np.float32))
    equal = np.broadcast_to(np.arange(WIDTH, dtype=np.uint8), shape)
    digests = questions.astype("u8") + first_question
    np.savez(folder / "rollouts.npz", right=right, equal=equal, question=digests, **numbers)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        run = write_run(root / f"dis-{seed}", seed=seed, arc=False, training_steps=400, puzzles=["queens"])
        write_scored(run, "step_400-steps6", steps=6)
        for noise, on_test, on_held_out in ((0.3, 0.5, 0.7), (0.5, 0.6, 0.4)):
            write_search(run, noise, on_test)
            write_search(run, noise, on_held_out, held_out=True, first_question=1000)
    return root


def test_a_setting_is_chosen_on_held_out_questions_and_read_off_the_test_split(
    runs: Path, tmp_path: Path, unrendered: None, capsys: pytest.CaptureFixture[str]
) -> None:
    search.main([str(runs), "--figures-dir", str(tmp_path / "out"), "--budget", "18", "72"])
    text = capsys.readouterr().out
    assert "4 × 6 steps, noise 0.3, by valid (which keep the rules) | 72.5 %" in text, "3 more rollouts: 9 questions"
    assert "noise 0.5, by" not in text, "better on the test split alone"
    assert "1 × 6 steps, noise 0.3 | 50.0 %" in text, "within 18 calls"
    assert "plain, 6 steps" in text
    figures = {f"search{width}.{kind}" for width in ("", "_column") for kind in ("png", "pdf")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"search.md", *figures}


def test_an_axis_that_leaves_low_shares_out_says_so(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods, _ = group([read_run(path) for path in sorted(runs.iterdir()) if path.is_dir() and path.name != "out"])
    for lowest, said in ((0.25, True), (0.0, False)):
        monkeypatch.setattr(search, "lowest_shown", lambda _, lowest=lowest: lowest)
        fig = search.figure([study(method) for method in methods], "")
        assert ("Shares below 25 %" in " ".join(fig.legends[0].get_title().get_text().split())) == said
        assert (fig.axes[0].get_ylim()[0] == 0.25) == said


def test_results_near_the_ceiling_get_an_axis_on_which_they_can_be_told_apart() -> None:
    for ends, lowest in (((0.96, 0.99), 0.8), ((0.7, 0.99), 0.0)):
        axes = Figure().subplots(1, 2)
        for one, end in zip(axes, ends, strict=True):
            one.plot([1, 2, 3], [0.0, 0.5, end])
        assert search.lowest_shown(axes) == pytest.approx(lowest)


def test_rollouts_in_turn_cost_what_is_spent_until_one_keeps_the_rules(runs: Path) -> None:
    [method], _ = group([read_run(path) for path in sorted(runs.iterdir())])
    [row] = [row for row in search.tables([study(method)], [72])[1].rows if "noise 0.3" in row[1]]
    # 20 questions stop in the first rollout, 3 in each of the next ones; 11 go to the end
    mean = (20 * 6 + 3 * 12 + 3 * 18 + 3 * 24 + 11 * 24) / 40 * 3
    assert row[4] == f"{mean:.1f}"


def test_held_out_questions_of_the_test_split_do_not_choose(tmp_path: Path) -> None:
    run = write_run(tmp_path / "dis", arc=False, training_steps=400, puzzles=["queens"])
    write_search(run, 0.3, 0.5)
    write_search(run, 0.3, 0.5, held_out=True, first_question=COUNT // 2)
    [method], _ = group([read_run(run)])
    held_out = study(method).held_out
    single = next(shares for setting, shares in held_out.items() if (setting.width, setting.steps) == (1, STEPS))
    assert single == [0.0], "the half of the questions that is new is the half that is never right"


def test_a_search_on_a_part_of_the_test_split_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "dis", arc=False, training_steps=400, puzzles=["queens"])
    write_search(run, 0.3, 0.5)
    for key, value in (("first_tasks", 3), ("weights", "raw")):
        file = run / "scored/step_400-noise0.3/scores.json"
        scores = json.loads(file.read_text())
        file.write_text(json.dumps(scores | {"evaluated": scores["evaluated"] | {key: value}}))
        with pytest.raises(UserError, match="no run with an evaluation by several rollouts"):
            search.main([str(run)])
        file.write_text(json.dumps(scores))


def test_seeds_are_compared_by_the_rollouts_and_steps_that_all_have(
    tmp_path: Path, unrendered: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(2):
        run = write_run(tmp_path / f"dis-{seed}", seed=seed, arc=False, training_steps=400, puzzles=["queens"])
        write_scored(run, "step_400-deep", steps=6 + 6 * seed)
        write_search(run, 0.3, 0.5)
    with np.load(run / "scored/step_400-noise0.3/rollouts.npz") as arrays:
        less = {name: array if name == "question" else array[:, :3, :2] for name, array in arrays.items()}
    np.savez(run / "scored/step_400-noise0.3/rollouts.npz", **less)
    file = run / "scored/step_400-noise0.3/scores.json"
    scores = json.loads(file.read_text())
    file.write_text(json.dumps(scores | {"network_calls_per_answer": 18}))
    search.main([str(tmp_path), "--figures-dir", str(tmp_path / "out")])
    text = capsys.readouterr().out
    assert "| 2 × 3 steps, noise 0.3 |" in text
    assert text.split("2 × 3 steps")[1].splitlines()[0].endswith("| 18 |"), "at most"
    assert "plain, 6 steps" in text


def test_no_setting_is_chosen_where_all_held_out_questions_are_of_the_test_split(
    tmp_path: Path, unrendered: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "dis", arc=False, training_steps=400, puzzles=["queens"])
    write_search(run, 0.3, 0.5)
    write_search(run, 0.3, 0.5, held_out=True)
    search.main([str(run), "--figures-dir", str(tmp_path / "out")])
    text = capsys.readouterr().out
    assert "nan" not in text
    assert "no setting is chosen, for want of the same search on held-out questions" in text


def test_rollouts_of_other_questions_than_they_name_are_damaged(tmp_path: Path) -> None:
    run = write_run(tmp_path / "dis", arc=False, training_steps=400, puzzles=["queens"])
    write_search(run, 0.3, 0.5)
    file = run / "scored/step_400-noise0.3/rollouts.npz"
    with np.load(file) as arrays:
        np.savez(file, **{**arrays, "question": np.zeros(3, "u8")})
    with pytest.raises(UserError, match="arrays that do not belong together"):
        search.main([str(run)])


def test_runs_without_a_search_are_told_how_to_make_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "dis", arc=False, training_steps=400, puzzles=["queens"])
    with pytest.raises(UserError, match="no run with an evaluation by several rollouts"):
        search.main([str(run)])


def test_a_search_on_a_sample_of_the_test_split_stands_beside_plain_depth_on_that_sample(tmp_path: Path) -> None:
    run = write_run(tmp_path / "dis", arc=False, training_steps=400, puzzles=["queens"])
    write_scored(run, "step_400-steps6", steps=6)
    write_search(run, 0.3, 0.5)
    [method], _ = group([read_run(run)])
    assert study(method).plain
    file = run / "scored/step_400-noise0.3/scores.json"
    scores = json.loads(file.read_text())
    file.write_text(json.dumps(scores | {"part": {"examples": COUNT, "of": 100, "sampled": 0}}))
    [method], _ = group([read_run(run)])
    assert (study(method).sources, study(method).plain) == (["noise 0.3"], [])
