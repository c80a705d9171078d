"""Settings of stopping early are chosen on held-out questions, and only then read off the test split."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.inference.checkpoints_of import write_run
from trm.errors import UserError
from trm_lab.evaluation.halting_choice import cheapest, choose
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.evaluation.search import Search, StopRule
from trm_lab.puzzles.sudoku import builder_4x4
from trm_lab.runs.answers import Answers
from trm_lab.runs.recorded_scores import HaltingPoint
from trm_lab.runs.rollout_store import RolloutStore

KIND = "answer_log_probability"


def stored(folder: Path, questions: Sequence[int], right_from: Sequence[int], sure_from: Sequence[int]) -> RolloutStore:
    """Answers in three steps of three network calls: right, and sure, from these steps on (4: never)."""
    folder.mkdir()
    count, steps = len(questions), np.arange(1, 4)
    right, sure = (steps >= np.array(rows)[:, None] for rows in (right_from, sure_from))  # [E, S]
    answers = Answers(
        set_name="all",
        first=0,
        inputs=np.tile(np.array(questions, np.uint8)[:, None], 2),
        labels=np.ones((count, 2), np.int16),
        puzzle_identifiers=np.zeros(count, np.int32),
        predictions=np.where(right, steps * 0 + 1, steps + 1)[..., None].repeat(2, 2).astype(np.uint8),
        q_halt_logits=np.zeros((count, 3), np.float32),
        confidence=np.where(sure, -1e-9, -9.0),
        loss=np.zeros(count),
        network_calls=[3, 6, 9],
    )
    store = RolloutStore(folder, {}, {"all": count})
    store.write(answers, 1.0)
    return store


def test_the_cheapest_setting_that_loses_at_most_a_point_is_chosen_of_each_rule() -> None:
    def point(policy: str, setting: float, exact: float, calls: float) -> HaltingPoint:
        return HaltingPoint(policy, setting, exact, 1.0, calls, calls / 3)

    points = [point("fixed", 1, 0.2, 3), point("fixed", 2, 0.5, 6), point("oracle", 0, 0.6, 1)]
    points += [point("agreement", 1, 0.48, 4), point("agreement", 2, 0.495, 5)]
    points += [point("confidence", -1, 0.5, 5.5), point("confidence", -2, 0.495, 5), point("confidence", -3, 0.4, 3)]
    assert {rule: one.setting for rule, one in cheapest(points).items()} == {"agreement": 2, "confidence": -2}


def test_without_a_curve_of_all_steps_nothing_is_chosen_but_what_is_always_right() -> None:
    assert cheapest([HaltingPoint("agreement", 1, 0.9, 1.0, 3, 1), HaltingPoint("confidence", -1, 1.0, 1.0, 3, 1)]) == {
        "confidence": HaltingPoint("confidence", -1, 1.0, 1.0, 3, 1)
    }


def test_questions_that_the_test_split_has_as_well_are_left_out_of_the_choice(tmp_path: Path) -> None:
    test = stored(tmp_path / "test", [1, 2], [1, 1], [1, 1])
    apart = stored(tmp_path / "apart", [3, 4], [1, 1], [1, 1])
    shared = stored(tmp_path / "shared", [1, 3, 4], [3, 1, 1], [1, 1, 1])  # question 1 is sure before it is right
    chosen = [choose(held_out, test, KIND) for held_out in (apart, shared)]
    assert chosen[0].settings == chosen[1].settings
    assert "confidence" in chosen[1].settings
    assert [(one.examples, one.left_out) for one in chosen] == [(2, 0), (2, 1)]
    alone = choose(shared, stored(tmp_path / "other", [9], [1], [1]), KIND)
    assert "confidence" not in alone.settings  # there it would lose a third
    with pytest.raises(UserError, match=r"the test split has all of its 2 questions as well"):
        choose(test, test, KIND)


def test_stored_answers_of_other_numbers_of_steps_than_they_say_are_refused(tmp_path: Path) -> None:
    test, held_out = stored(tmp_path / "test", [1], [1], [1]), stored(tmp_path / "a", [3], [1], [1])
    held_out.network_calls = [3, 6]
    with pytest.raises(UserError, match=r"a has arrays that do not belong together: shapes"):
        choose(held_out, test, KIND)


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, and one of the same kind with another seed."""
    folder = tmp_path_factory.mktemp("boards")
    for name, seed in (("test", "0"), ("held-out", "1")):
        words = ["--train-size", "20", "--test-size", "12", "--seed", seed, "--output-dir", str(folder / name)]
        builder_4x4.main(words)
    return folder


@pytest.mark.parametrize("method", ["dis", "act"])
def test_an_evaluation_says_on_which_questions_stopping_early_was_chosen(
    method: str, boards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, held_out = write_run(tmp_path / "run", boards / "test", method), tmp_path / "held-out"
    request = ScoringRequest(str(run), output=tmp_path / "a", device="cpu")
    score(request)
    assert "at most one point, chosen on these test questions, so" in capsys.readouterr().out
    score(ScoringRequest(str(run), output=held_out, device="cpu", data_paths=[str(boards / "held-out")]))
    score(ScoringRequest(str(run), output=tmp_path / "a", device="cpu", choose_on=held_out))
    halting = json.loads((tmp_path / "a/scores.json").read_text())["halting"]
    chosen = halting["chosen_on"]
    assert chosen["examples"] + chosen["left_out"] == 12
    assert ("q_halt" in chosen["settings"]) == (method == "act")
    text = capsys.readouterr().out
    assert f"on {chosen['examples']} held-out questions, {held_out}" in text
    (point,) = [
        one
        for one in halting["points"]
        if (one["policy"], one["setting"]) == ("confidence", chosen["settings"]["confidence"])
    ]
    assert f"confidence at least {point['setting']:g}".replace("-", "−") in text


def test_answers_of_another_checkpoint_or_unfinished_ones_or_a_rule_beside_are_refused(
    boards: Path, tmp_path: Path
) -> None:
    run, other = (write_run(tmp_path / name, boards / "test", seed=seed) for seed, name in enumerate(("run", "other")))
    score(ScoringRequest(str(other), output=tmp_path / "a", device="cpu"))
    for choose_on, told in ((tmp_path / "a", "with other weights"), (tmp_path / "none", "without all of its answers")):
        with pytest.raises(UserError, match=told):
            score(ScoringRequest(str(run), output=tmp_path / "b", device="cpu", choose_on=choose_on))
        assert not (tmp_path / "b").exists()
    stopping = Search(stop=StopRule("agreement", 2))
    with pytest.raises(UserError, match=r"--choose-on .* --stop agreement:2"):
        score(ScoringRequest(str(run), output=tmp_path / "b", device="cpu", choose_on=tmp_path / "a", search=stopping))
