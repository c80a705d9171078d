"""Strips of chosen puzzles: which are taken, what is known of them, and what stands below each answer."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from analysis import strips
from analysis.choosing import KINDS, choose, picture_for
from analysis.heat import LEAST_LIMIT, WITHOUT, Heat
from tests.analysis.recorded import DIS, DIS_SAMPLES, SCORED, TRM, scores
from tests.analysis.synthetic_run import write_run
from trm.errors import UserError
from trm_lab.commands.tables import signed
from trm_lab.runs.answers import Answers
from trm_lab.runs.recorded_run import Run, read_run
from trm_lab.runs.rollout_store import RolloutStore
from trm_lab.runs.stored_answers import stored_answers


def test_all_answers_of_evaluate_are_taken_before_the_samples_of_training() -> None:
    source = stored_answers(read_run(DIS))
    assert (source.source, source.all_kept) == (f"scored/{SCORED}", True)
    parts = list(source.parts())
    assert sum(map(len, parts)) == 32
    assert [name for part in parts for name in part.names] == [f"example {n}" for n in range(1, 33)]
    (made,) = RolloutStore.open(DIS / "scored" / SCORED).answers()
    np.testing.assert_array_equal(parts[0].preds, made.predictions)
    np.testing.assert_array_equal(parts[0].margin, made.probes["margin"])


def test_without_them_the_samples_are_taken_and_the_same_is_said_of_them() -> None:
    by_samples, by_all = read_run(DIS), stored_answers(read_run(DIS))
    source = stored_answers(replace(by_samples, scored=[]))
    assert (source.source, source.all_kept) == ("evaluations/step_248", False)
    assert stored_answers(read_run(DIS), "step_248").source == source.source
    assert stored_answers(read_run(DIS_SAMPLES)).source == "evaluations/step_248"
    (samples,), (everything,) = source.parts(), by_all.parts()
    assert samples.names == everything.names
    np.testing.assert_array_equal(samples.preds, everything.preds)
    assert (samples.confidence, samples.margin) == (None, None)


def test_the_numbers_of_each_kind_are_those_of_scores_json_and_its_first_are_taken_in_file_order() -> None:
    for run in (DIS, TRM):
        source, told = stored_answers(read_run(run)), scores(run)
        solved = told["tasks"][0]["verdicts"]["solved"]
        late = {f"{kind}-late": told["over_steps"][f"{kind}_late"] for kind in ("fixed", "broken")}
        counts = {"examples": told["examples"], "solved": solved, "unsolved": 32 - solved, **late}
        assert choose(source, 6).counts == counts
        everything = choose(source, 99)
        assert everything.solved.sum(0).tolist() == told["tasks"][0]["solved_per_step"]
    for kind, of in KINDS.items():
        names = np.array(everything.answered.names)[of(everything.solved)].tolist()
        assert choose(source, 3, kind=kind).answered.names == names[:3]


def test_examples_are_found_by_name_number_and_task(run: Run) -> None:
    source = stored_answers(read_run(DIS))
    assert choose(source, 1, names=["7", "example 3"]).answered.names == ["example 3", "example 7"]
    arc = stored_answers(run)
    wanted = run.samples.names[5]
    assert choose(arc, 1, names=[wanted]).answered.names == [wanted]


def test_what_is_not_there_is_named_with_what_is() -> None:
    for flags, given, allowed in (
        (["--examples", "example 99"], "no example 99 in scored/", "names such as example "),
        (["--broken-late"], "solved after some step and not after the last in scored/", "broken-late: 0"),
        (["--solved", "--examples", "1"], "--examples 1 with --solved", "by name, or by what became of them"),
        (["--dataset", "maze"], "no dataset 'maze'", "sudoku-4x4"),
        (["--evaluation", "x"], "holds no evaluation 'x' with answers", f"step_248 | {SCORED}"),
    ):
        with pytest.raises(UserError) as error:
            strips.main([str(DIS), *flags])
        assert given in error.value.given
        assert allowed in error.value.allowed


def test_the_margin_of_a_step_stands_below_its_answer_in_colours_and_as_mean() -> None:
    chosen = choose(stored_answers(read_run(DIS)), 1, names=["5"])
    (fig,) = strips.strips(chosen)
    pictures, colours, (scale,) = fig.axes[:8], fig.axes[8:14], fig.axes[14:]
    assert [axes.get_title() for axes in pictures][1:-1] == [f"step {n}" for n in range(1, 7)]
    margin = chosen.answered.margin
    heat = Heat.over(margin)
    for axes, of_step in zip(colours, margin[0], strict=True):
        (image,) = axes.get_images()
        np.testing.assert_array_equal(np.asarray(image.get_array()), heat.rgb(of_step).reshape(4, 4, 3))
        assert axes.get_xlabel() == signed(of_step.mean(), ".2f")
    assert scale.get_xticklabels()[-1].get_text().startswith("≥ +")


def test_without_a_margin_the_confidence_stands_below_as_a_number() -> None:
    chosen = choose(stored_answers(read_run(TRM)), 1, names=["1"])
    (fig,) = strips.strips(replace(chosen, answered=replace(chosen.answered, margin=None)))
    halting = chosen.answered.confidence[0, [0, 2, 4, 6, 9, 11, 13, 15]]
    lines = [axes.get_xlabel().split("\n")[1] for axes in fig.axes[1:-1]]
    assert lines == [f"p(halt) {share:.2f}" for share in halting]


def test_colours_tell_sign_and_size_and_grey_is_not_scored() -> None:
    heat = Heat(4.0)
    below, quarter, above, none = heat.rgb(np.array([-9.0, 1.0, 4.0, np.nan]))
    red, blue = 0, 2
    assert below[red] > below[blue]
    assert above[blue] > above[red]
    np.testing.assert_allclose(quarter, (above + 1) / 2, atol=0.01)  # √¼ of the way from white
    assert to_hex(none).upper() == WITHOUT
    assert Heat.over(np.array([np.nan, np.inf])).limit == LEAST_LIMIT
    assert Heat.over(np.full(9, 1e-6)).limit == LEAST_LIMIT
    assert Heat.over(np.append(np.ones(99), 1e6)).limit == 1


def test_names_and_titles_of_a_stranger_s_run_are_drawn_as_they_stand(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", steps=2))
    hostile = replace(run.samples, names=["$x^2_$"] * len(run.samples.names))
    fig = strips.strips_of_samples(replace(run, config={"run_name": r"$\frac{"}), hostile)
    fig.draw_without_rendering()
    assert fig.axes[0].get_ylabel() == "$x^2_$"


def test_strips_are_headed_by_the_method_and_name_the_run_below(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", changes={"run_name": "sweep-086f2c"}))
    heading, *below = [text.get_text() for text in strips.strips_of_samples(run, run.samples).texts]
    assert heading == "DIS (released code), seed 0, after 12,000 updates"
    assert any("Run: sweep-086f2c." in text for text in below)


def test_answers_that_are_no_puzzles_of_their_dataset_are_refused() -> None:
    source = stored_answers(read_run(DIS))
    (task,) = source.tasks
    larger = replace(task, facts={"size": 9, "box_rows": 3, "box_columns": 3})
    wrong = replace(source, evaluation=replace(source.evaluation, tasks=[larger]))
    with pytest.raises(UserError, match="examples of 16 tokens in scored/"):
        choose(wrong, 3)
    unknown = replace(source, evaluation=replace(source.evaluation, tasks=[replace(task, scorer="")]))
    with pytest.raises(UserError, match="of which there is no picture"):
        choose(unknown, 3)


@pytest.mark.usefixtures("unrendered")
def test_a_store_that_was_cut_off_is_refused_by_name(tmp_path: Path) -> None:
    shutil.copytree(DIS, tmp_path / "run")
    file = tmp_path / "run" / "scored" / SCORED / "predictions.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"predictions\.safetensors is damaged"):
        strips.main([str(tmp_path / "run")])
    strips.main([str(tmp_path / "run"), "--evaluation", "step_248", "--output-dir", str(tmp_path / "drawn")])
    assert (tmp_path / "drawn/strips.png").is_file()


def test_the_answers_of_arc_tasks_are_looked_up_with_their_confidence_in_the_store(run: Run, tmp_path: Path) -> None:
    """The store holds the run's samples behind an example that is none of them."""
    kept, folder = run.samples, tmp_path / "scored"
    count, steps = len(kept.names), kept.preds.shape[1]
    confidence = np.arange(count, dtype=np.float64)[:, None].repeat(steps, 1)
    store = RolloutStore(folder, {}, {"all": count + 1})
    for first, inputs, rows in ((0, np.zeros_like(kept.inputs[:1]), slice(1)), (1, kept.inputs, slice(None))):
        sure = confidence[rows] - (9 if first == 0 else 0)
        labels, preds = kept.labels[rows].astype(np.int16), kept.preds[rows]
        numbers, loss = np.ones(len(inputs), np.int32), np.zeros(len(inputs))
        answered = (inputs, labels, numbers, preds, np.zeros_like(sure, np.float32), sure, loss)
        store.write(Answers("all", first, *answered, list(range(1, steps + 1))), 0.0)
    known = replace(read_run(DIS).scored[0], folder=folder, evaluation=run.evaluation)
    source = stored_answers(replace(run, scored=[known]))
    assert source.source.startswith("scored/")
    (part,) = source.parts()
    assert part.names == kept.names
    np.testing.assert_array_equal(part.preds, kept.preds)
    assert part.confidence[:, 0].tolist() == list(range(len(kept.names)))


def test_one_example_is_counted_as_one_and_what_is_not_scored_and_stars_are_explained(run: Run) -> None:
    source = stored_answers(read_run(DIS))
    assert choose(source, 1).rule == "Shown is the first in file order."
    assert choose(source, 1, kind="solved").rule.startswith("Shown is the first in file order of ")
    assert choose(source, 1, halves=True).rule.startswith("Shown is the first solved one in file order. ")
    assert choose(source, 4, halves=True).rule.startswith(
        "Shown are the first 2 solved ones, then the first 2 unsolved ones, each in file order. "
    )
    of_arc = choose(stored_answers(run), 6, halves=True)
    assert "A star (*) marks an augmentation of the test input." in strips.caption(of_arc)[0]
    assert "white in the answer: not scored" in picture_for(of_arc.source, of_arc.task).legend
