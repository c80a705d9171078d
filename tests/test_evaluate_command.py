"""evaluate.py's command line: one job at a time, and every flag reaches the request that it is for."""

from pathlib import Path

import pytest

import evaluate
from trm.errors import UserError
from trm.puzzles.selection import Selection


def job(words: str) -> None:
    evaluate.job(evaluate.command_line().parse(words.split()))


@pytest.mark.parametrize(
    "words",
    ["", "a --checkpoint b", "a --compare x y", "--pool x y --compare x y", "a --pool x y", "--task t.json"],
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
    monkeypatch.setattr(evaluate, "score", lambda request, *_: taken.append(request))
    words = (
        "run --config c.yaml --weights raw --data_path d e --steps 32 --num-aug 8 --tasks t u --first-tasks 3 "
        "--identifiers blank --guidance -1 0.5 --margin --rank-by count --batch-size 4 --device cpu --compile off "
        "--output-dir o --overwrite --save-outputs preds"
    )
    evaluate.job(evaluate.command_line().parse(words.split()))()
    (request,) = taken
    assert request.target == "run"
    assert request.data_paths == ["d", "e"]
    assert request.selection == Selection(frozenset("tu"), 3, 8)
    assert request.guidance == [-1, 0.5]
    said = (request.config, request.weights, request.steps, request.identifiers, request.margin)
    assert said == (Path("c.yaml"), "raw", 32, "blank", True)
    rest = (request.ranked_by, request.batch_size, request.device, request.compile, request.output)
    assert rest == ("count", 4, "cpu", "off", Path("o"))
    assert request.overwrite
    assert request.save_outputs == ["preds"]
