"""evaluate.py's command line: one job at a time, and every flag reaches the request that it is for."""

from pathlib import Path

import pytest

import evaluate
from trm.errors import UserError
from trm_lab.evaluation.score import _refuse_arc_flags
from trm_lab.inference.test_time_training import AdaptationSettings
from trm_lab.puzzles.selection import Selection


def job(words: str) -> None:
    evaluate.job(evaluate.command_line().parse(words.split()))


@pytest.mark.parametrize(
    "words", ["", "a --checkpoint b", "a --compare x y", "--pool x y --compare x y", "a --pool x y", "--task t.json"]
)
def test_no_job_or_two_at_once_are_refused(words: str) -> None:
    with pytest.raises(UserError, match="one target"):
        job(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a --stesp 3", "--steps"),
        ("a --steps 0", "at least 1"),
        ("a --guidance x", "no number"),
        ("a --guidance inf", "out of range"),
        ("a --rank-by best", "count_confidence"),
        ("a --identifiers wrong", "shuffled"),
        ("a --weights averaged", "ema"),
        ("--compare x", "2 arguments"),
    ],
)
def test_a_wrong_flag_or_value_names_what_is_allowed(words: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        job(words)


def test_every_flag_of_scoring_reaches_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr("trm_lab.evaluation.score.score", lambda request, *_: taken.append(request))
    words = (
        "run --config c.yaml --weights raw --data_path d e --steps 32 --num-aug 8 --tasks t u --first-tasks 3 "
        "--examples 5 --identifiers blank --guidance -1 0.5 --margin --rank-by count --batch-size 4 --device cpu "
        "--compile off --attention math --output-dir o --overwrite --save-outputs preds"
    )
    evaluate.job(evaluate.command_line().parse(words.split()))()
    (request,) = taken
    assert request.target == "run"
    assert request.data_paths == ["d", "e"]
    assert request.selection == Selection(frozenset("tu"), 3, 8, 5)
    assert request.guidance == [-1, 0.5]
    said = (request.config, request.weights, request.steps, request.identifiers, request.margin)
    assert said == (Path("c.yaml"), "raw", 32, "blank", True)
    rest = (request.ranked_by, request.batch_size, request.device, request.compile, request.attention, request.output)
    assert rest == ("count", 4, "cpu", "off", "math", Path("o"))
    assert request.overwrite
    assert request.save_outputs == ["preds"]


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("--compare x y --num-aug 3", "--num-aug would have no effect with --compare"),
        ("--compare x y --output-dir z", "--output-dir"),
        ("--pool x y --steps 3", "--steps would have no effect with --pool"),
        ("--pool x y --common", "--common"),
        ("a --task t.json --margin", "--margin would have no effect with --task"),
        ("a --task t.json --tasks u --first-tasks=3", "--first-tasks --tasks"),
        ("a --adapt 3", "--adapt would have no effect when a split is scored"),
        ("a --seed=3", "--seed"),
        ("a --embedding blank", "--embedding"),
        ("a --task t.json --adapt-lr 0.1", "--adapt-lr without --adapt"),
        ("a --task t.json --adapt-weights all", "--adapt-weights without --adapt"),
        ("a --task t.json --adapt 3 --adapt-freeze 0", "--adapt-freeze 0 where only embeddings learn"),
    ],
)
def test_a_flag_that_would_have_no_effect_is_refused_by_name(words: str, flag: str) -> None:
    with pytest.raises(UserError, match=flag):
        job(words)


def test_every_flag_is_heeded_by_some_job() -> None:
    flags = {name for name in evaluate.command_line()._option_string_actions if name.startswith("--")}
    assert flags - {"--help"} == set().union(*evaluate.EFFECTIVE.values())


def test_a_learning_rate_of_0_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr("trm_lab.inference.one_puzzle.run_task", lambda request, *_: taken.append(request.adapt_lr))
    evaluate.job(evaluate.command_line().parse(["a", "--task", "t.json", "--adapt", "2", "--adapt-lr", "0"]))()
    assert taken == [0.0]
    assert AdaptationSettings.of_run({"puzzle_emb_lr": 0.1}, 2, lr=taken[0]).lr == 0


def test_flags_of_arc_s_votes_are_refused_on_other_data() -> None:
    for words in ("a --num-aug 0", "a --rank-by count"):
        request = evaluate._scoring_request("a", evaluate.command_line().parse(words.split()))
        with pytest.raises(UserError, match="no ARC tasks"):
            _refuse_arc_flags(request)
    _refuse_arc_flags(evaluate._scoring_request("a", evaluate.command_line().parse(["a"])))
