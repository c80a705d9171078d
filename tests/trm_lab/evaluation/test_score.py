"""Scoring a checkpoint: interrupted and resumed, on any ranks and batches, the same; and what each option does."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.runs import REPOSITORY, finish
from tests.trm_lab.inference.checkpoints_of import write_run
from trm.errors import UserError
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.rollout import roll_out
from trm_lab.evaluation.score import open_data, score
from trm_lab.evaluation.scores_table import scores_table
from trm_lab.files.checksums import sealed
from trm_lab.inference.answering import answer_task
from trm_lab.inference.arc_checkpoint import arc_supervision
from trm_lab.inference.task_puzzles import puzzles_of
from trm_lab.puzzles.arc.task_file import parse_task
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.selection import Selection
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.rollout_store import INDEX_FILE, TENSORS_FILE, RolloutStore, WarmUp
from trm_lab.runs.weights import PUZZLE_ROWS


@pytest.fixture(scope="module")
def dis_run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "dis", dataset, "dis", ema=True)


@pytest.fixture(scope="module")
def trm_run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "act", dataset, "act", ema=True)


@pytest.fixture(params=["dis_run", "trm_run"])
def run(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def scored(run: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """The scores, without what depends on the clock."""
    score(ScoringRequest(str(run), output=folder, device="cpu", **options))
    return timeless(folder)


def timeless(folder: Path) -> dict[str, Any]:
    scores = json.loads((folder / "scores.json").read_text())
    scores.pop("examples_per_second")
    scores["cost"].pop("seconds")
    scores["cost"].pop("joules", None)
    return scores


def test_batches_change_nothing_and_the_same_command_again_makes_no_answer_anew(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scored(run, tmp_path / "a", batch_size=7)
    assert scored(run, tmp_path / "b", batch_size=64) == first
    monkeypatch.setattr("trm_lab.evaluation.score.Predictor.answers", _nobody)
    assert scored(run, tmp_path / "a") == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_a_batch_that_ranks_cannot_share_is_named_as_its_flag(run: Path) -> None:
    request = ScoringRequest(str(run), batch_size=7)
    with pytest.raises(UserError, match=r"^--batch-size 7 cannot be split over 2 ranks") as error:
        open_data(request, open_checkpoint(str(run)), Ranks(rank=0, world_size=2))
    assert error.value.remedy == "use --batch-size 6 or 8, or 1 or 7 ranks"


def _nobody(*_: Any) -> Iterator[Any]:
    raise AssertionError("the answers are there")


def test_interrupted_and_resumed_equals_uninterrupted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scored(run, tmp_path / "whole", batch_size=8, guidance=[0.0, 1.0], margin=True)
    write, written = RolloutStore.write, []

    def until_killed(store: RolloutStore, *made: Any) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(made)
        write(store, *made)

    monkeypatch.setattr(RolloutStore, "write", until_killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            scored(run, tmp_path / "cut", batch_size=8, guidance=[0.0, 1.0], margin=True)
        assert not (tmp_path / "cut").exists()
        written.clear()
    monkeypatch.setattr(RolloutStore, "write", write)
    assert scored(run, tmp_path / "cut", batch_size=8, guidance=[0.0, 1.0], margin=True) == whole
    files = [(tmp_path / name / TENSORS_FILE).read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]


@pytest.mark.long
def test_two_ranks_score_what_one_scores(dis_run: Path, tmp_path: Path) -> None:
    options = {"guidance": [0.5], "margin": True, "batch_size": 8}
    one = scored(dis_run, tmp_path / "one", **options)
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    words += [str(REPOSITORY / "evaluate.py"), str(dis_run), "--guidance", "0.5", "--margin", "--device", "cpu"]
    finish([*words, "--batch-size", "8", "--output-dir", str(tmp_path / "two")], tmp_path)
    two = timeless(tmp_path / "two")
    assert two["cost"].pop("ranks") == 2
    assert one["cost"].pop("ranks") == 1
    assert two == one


class TenJoules:
    """A device that spends 10 J between two readings."""

    def __init__(self, _: torch.device) -> None:
        self.known = True

    def spent(self) -> float:
        return 10.0


def test_energy_of_an_answer_is_what_the_device_spent_on_each_batch_where_it_counts(
    dis_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EnergyMeter.__init__, "__defaults__", (tmp_path / "nowhere",))
    scored(dis_run, tmp_path / "no counter")
    assert "joules" not in json.loads((tmp_path / "no counter/scores.json").read_text())["cost"]
    monkeypatch.setattr("trm_lab.evaluation.score.EnergyMeter", TenJoules)
    scored(dis_run, tmp_path / "a", batch_size=8)
    store = RolloutStore.open(tmp_path / "a")
    cost = json.loads((tmp_path / "a/scores.json").read_text())["cost"]
    assert len(store.batches) > 1
    assert cost["joules"] == 10 * len(store.batches) / store.total  # and nothing of writing them


def test_averaged_and_raw_weights_are_told_apart(dis_run: Path, tmp_path: Path) -> None:
    auto = scored(dis_run, tmp_path / "auto")
    averaged, raw = (scored(dis_run, tmp_path / kind, weights=kind) for kind in ("ema", "raw"))
    assert auto["lm_loss"] == averaged["lm_loss"] != raw["lm_loss"]


@pytest.mark.parametrize("steps", [2, 9])
def test_fewer_or_more_steps_than_trained_share_their_first_ones(run: Path, tmp_path: Path, steps: int) -> None:
    trained, other = scored(run, tmp_path / "a"), scored(run, tmp_path / "b", steps=steps)
    shared = min(steps, len(trained["per_step"]["cell_accuracy"]))
    for name in ("cell_accuracy", "exact_accuracy", "hamming", "network_calls"):
        assert len(other["per_step"][name]) == steps
        assert other["per_step"][name][:shared] == trained["per_step"][name][:shared]
    assert other["network_calls_per_answer"] == 3 * steps
    assert other["cost"]["operations"] * len(trained["per_step"]["hamming"]) == (trained["cost"]["operations"] * steps)


def test_guidance_at_one_is_plain_decoding_and_at_zero_the_step_before(run: Path, tmp_path: Path) -> None:
    scored(run, tmp_path / "a", guidance=[0.0, 1.0], margin=True)
    stored = load_file(tmp_path / "a" / TENSORS_FILE)
    plain = stored["predictions"]
    np.testing.assert_array_equal(stored["probes.guided_preds@1"], plain)
    np.testing.assert_array_equal(stored["probes.guided_preds@0"][:, 1:], plain[:, :-1])
    scores = timeless(tmp_path / "a")
    assert scores["guidance"]["1"]["cell_accuracy"] == scores["per_step"]["cell_accuracy"]
    assert scores["arc_guided"]["1"] == scores["scores"]
    assert {name: steps[-1] for name, steps in scores["arc_per_step"].items()} == scores["scores"]
    assert np.isnan(stored["probes.margin"][stored["labels"][:, None].repeat(plain.shape[1], 1) < 0]).all()
    assert scores["margin"]["tokens"] == int((stored["labels"] >= 0).sum())


def test_the_ablations_of_memory_change_what_the_model_is_given_and_not_who_votes(
    dis_run: Path, tmp_path: Path
) -> None:
    losses = {}
    for choice in ("correct", "blank", "shuffled"):
        found = scored(dis_run, tmp_path / choice, identifiers=choice)
        losses[choice] = found["lm_loss"]
        stored = load_file(tmp_path / choice / TENSORS_FILE)
        assert stored["puzzle_identifiers"].all()
        assert found["counts"]["outputs_without_votes"] == 0
    assert len(set(losses.values())) == 3


def test_only_the_chosen_tasks_are_scored(dis_run: Path, tmp_path: Path) -> None:
    every = scored(dis_run, tmp_path / "every")
    some = scored(dis_run, tmp_path / "some", selection=Selection(first_tasks=2, augmentations=1))
    assert some["counts"]["tasks"] == 2 < every["counts"]["tasks"]
    submitted = json.loads((tmp_path / "some" / "submission.json").read_text())
    assert len(submitted) == 2


def test_a_sample_says_of_how_many_it_is_and_is_another_request(dis_run: Path, tmp_path: Path) -> None:
    selection = Selection(augmentations=1, sampled=9)
    some = scored(dis_run, tmp_path / "some", selection=selection)
    assert some["part"] == {"examples": some["examples"], "of": 96, "sampled": 9}
    assert 5 <= some["examples"] <= 9
    assert some["counts"]["outputs"] == some["examples"] / 2
    assert f"(a part of the test split: {some['examples']} of 96 examples, drawn at random)" in scores_table(some)
    assert ScoringRequest("run", selection=selection).suffix == "-aug1-sample9"
    with pytest.raises(UserError, match="selection \\("):
        scored(dis_run, tmp_path / "some", selection=Selection(augmentations=1))


def test_another_ranking_scores_the_stored_answers_again(
    dis_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(dis_run, tmp_path / "a")
    monkeypatch.setattr("trm_lab.evaluation.score.Predictor.answers", _nobody)
    assert scored(dis_run, tmp_path / "a", ranked_by="count")["votes_ranked_by"].startswith("most votes first;")


def test_another_request_leaves_a_folder_alone_unless_told_to_overwrite(dis_run: Path, tmp_path: Path) -> None:
    first = scored(dis_run, tmp_path / "a")
    with pytest.raises(UserError, match="steps: None → 2") as refused:
        scored(dis_run, tmp_path / "a", steps=2)
    assert "--overwrite" in str(refused.value)
    assert timeless(tmp_path / "a") == first
    assert len(scored(dis_run, tmp_path / "a", steps=2, overwrite=True)["per_step"]["hamming"]) == 2


def test_results_go_beside_the_checkpoint_under_a_name_that_tells_the_options(dis_run: Path) -> None:
    request = ScoringRequest(str(dis_run), steps=2, identifiers="blank", device="cpu")
    score(request)
    assert (dis_run / "scored/step_7-steps2-blank/scores.json").is_file()
    score(replace(request, identifiers="correct"))
    assert (dis_run / "scored/step_7-steps2/scores.json").is_file()


def test_votes_are_ranked_by_the_answers_own_confidence_and_the_old_way_has_a_name(run: Path, tmp_path: Path) -> None:
    new = scored(run, tmp_path / "new", guidance=[1.5])
    old = scored(run, tmp_path / "old", guidance=[1.5], confidence="all-cells")
    assert new["evaluated"]["confidence"] == "answer"
    assert old["evaluated"]["confidence"] == "all-cells"
    halts = new["confidence_kind"] == "halting_probability"
    kinds = ["halting_probability"] * 2 if halts else ["answer_log_probability", "token_log_probability"]
    assert [new["confidence_kind"], old["confidence_kind"]] == kinds
    assert ("over its cells" in new["votes_ranked_by"]) is not halts
    assert "over its cells" in new["guided_votes_ranked_by"]["1.5"]
    assert old["guided_votes_ranked_by"]["1.5"] == old["votes_ranked_by"]
    with pytest.raises(UserError, match="confidence: None → answer"):
        scored(run, tmp_path / "old", guidance=[1.5])


def test_one_task_is_ranked_as_the_evaluation_ranks_it(run: Path, dataset: Path, tmp_path: Path) -> None:
    scored(run, tmp_path / "a", selection=Selection(augmentations=0))
    opened = open_checkpoint(str(run))
    data = EvaluationData([dataset], global_batch_size=1)
    task = next(iter(data.test_puzzles))
    supervision = arc_supervision(opened, 4)
    parsed = parse_task(task, {**data.test_puzzles[task], "train": data.test_puzzles[task]["test"]}, "", 4)
    known = {name: row for row, name in enumerate(data.identifiers)}
    puzzles = puzzles_of(parsed, 0, opened.weights[PUZZLE_ROWS], "own", known)
    answer = answer_task(supervision, puzzles, canvas=4, batch_size=8)
    outputs = [json.loads(line) for line in (tmp_path / "a/outputs.jsonl").read_text().splitlines()]
    stored = [one for one in outputs if one["task"] == task]
    for ours, theirs in zip(answer.outputs, stored, strict=True):
        assert ours.record.confidence_of_best == pytest.approx(theirs["confidence_of_best"], rel=1e-6)
    assert answer.confidence_kind == json.loads((tmp_path / "a/scores.json").read_text())["confidence_kind"]


class SlowStart:
    """A clock that a rollout moves by a second, and the first one of each launch by a hundred."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.cold = 0.0, True
        monkeypatch.setattr("trm_lab.evaluation.stopwatch.time.monotonic", lambda: self.now)
        monkeypatch.setattr("trm_lab.evaluation.predictor.roll_out", self.roll)

    def roll(self, *given: Any) -> Any:
        self.now += 100.0 if self.cold else 1.0
        self.cold = False
        return roll_out(*given)


def test_the_time_of_an_answer_is_without_the_warm_up_and_its_number_is_told(
    dis_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = scored(dis_run, tmp_path / "plain")
    SlowStart(monkeypatch)
    assert scored(dis_run, tmp_path / "a", batch_size=8) == plain
    store = RolloutStore.open(tmp_path / "a")
    cost = json.loads((tmp_path / "a/scores.json").read_text())["cost"]
    assert cost["seconds"] == len(store.batches) / store.total
    assert store.warm_up == WarmUp(1, 1, 100.0)
    assert "without the warm-up, 1 supervision step of each launch" in capsys.readouterr().out


def test_every_launch_of_an_interrupted_evaluation_has_its_own_warm_up(
    dis_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, clock = scored(dis_run, tmp_path / "plain"), SlowStart(monkeypatch)
    write, killed = RolloutStore.write, 2

    def until_killed(store: RolloutStore, *made: Any) -> None:
        write(store, *made)
        if len(store.batches) == killed:
            raise KeyboardInterrupt

    monkeypatch.setattr(RolloutStore, "write", until_killed)
    with pytest.raises(KeyboardInterrupt):
        scored(dis_run, tmp_path / "a", batch_size=8)
    monkeypatch.setattr(RolloutStore, "write", write)
    clock.cold = True
    assert scored(dis_run, tmp_path / "a", batch_size=8) == plain
    store = RolloutStore.open(tmp_path / "a")
    assert store.seconds == len(store.batches) > killed
    assert store.warm_up == WarmUp(2, 1, 200.0)


def test_a_time_from_before_warm_ups_were_told_apart_is_called_so(
    dis_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(dis_run, tmp_path / "a")
    index = tmp_path / "a" / INDEX_FILE
    content = {k: v for k, v in json.loads(index.read_text()).items() if k not in ("warm_up", "sha256")}
    index.write_text(json.dumps(sealed(content)))
    capsys.readouterr()
    scored(dis_run, tmp_path / "a")
    assert json.loads((tmp_path / "a/scores.json").read_text())["cost"]["warm_up"] is None
    assert "the first batch's warm-up with it" in capsys.readouterr().out


def test_checkpoint_and_device_are_told_before_the_data_are_looked_for(
    dis_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="no dataset at none"):
        scored(dis_run, tmp_path / "scored", data_paths=["none"])
    told = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"checkpoint: {dis_run}: DIS .*, [\d,]+ parameters, after [\d,]+ updates", told[0])
    assert re.fullmatch("device: CPU.*, 1 rank of 1 thread", told[1])
