"""A long curve is summed up on the terminal, and a table has no heading without a value below it."""

import json
from typing import Any

import numpy as np
import pytest

from tests.runs import REPOSITORY
from trm_lab.evaluation.details_table import details_table
from trm_lab.evaluation.scores_table import scores_table
from trm_lab.evaluation.shown_steps import MOST_ROWS, curve_summary, shown_steps

SCORES = REPOSITORY / "tests/fixtures/runs/sudoku4_dis_0/scored/step_248-guided-margins/scores.json"


def curve(steps: int, best: int) -> dict[str, Any]:
    """per_step of an evaluation that is best, alone, at a step."""
    exact = np.linspace(0.1, 0.5, steps)
    exact[best - 1] = 0.9
    shares = exact.tolist()
    calls = [3 * step for step in range(1, steps + 1)]
    changed = [0.1] * (steps - 1)
    return {
        "network_calls": calls,
        "cell_accuracy": shares,
        "exact_accuracy": shares,
        "hamming": shares,
        "changed": changed,
    }


def evaluated(**changes: Any) -> dict[str, Any]:
    """A recorded evaluation without its margins, and with other parts."""
    scores = {**json.loads(SCORES.read_text(encoding="utf-8")), **changes}
    for name in ("improvement", "margin", "guidance", "halting"):
        scores.pop(name, None)
    return scores


@pytest.mark.parametrize("steps", [1, 6, MOST_ROWS])
def test_a_curve_as_long_as_the_published_ones_is_shown_whole(steps: int) -> None:
    assert shown_steps(curve(steps, 1)) == list(range(1, steps + 1))
    assert curve_summary(curve(steps, 1)) == []


@pytest.mark.parametrize(("steps", "best"), [(17, 16), (128, 87), (4096, 2)])
def test_of_a_long_curve_about_a_dozen_steps_are_shown_with_the_first_the_last_and_the_best(
    steps: int, best: int
) -> None:
    shown = shown_steps(curve(steps, best))
    assert len(shown) <= 14
    assert shown == sorted(set(shown))
    assert {1, best, steps} <= set(shown) <= set(range(1, steps + 1))


def test_the_tables_of_128_steps_sum_them_up_and_say_which_is_best() -> None:
    scores = evaluated(per_step=curve(128, 87))
    text = scores_table(scores)
    assert "supervision step 87 (261 network calls)          90.0 %       90.0 %" in text
    assert "best of the 128 steps, on these questions: exact match 90.0 % at step 87" in text
    assert text.count("supervision step ") == len(shown_steps(scores["per_step"])) < 15
    assert len(details_table(scores).splitlines()) < 20
    assert "right for the first time" not in details_table(scores)


def test_a_heading_without_a_value_is_left_out() -> None:
    heading = scores_table(evaluated()).splitlines()[1]
    assert "copy the input" in heading
    assert "most common answer" not in heading, "this record has no such baseline"
    assert not any(line.rstrip().endswith(":") for line in scores_table(evaluated()).splitlines())
