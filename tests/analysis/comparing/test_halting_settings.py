"""Figures choose settings of stopping early as evaluate.py does: on held-out questions, or they say on which else."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from matplotlib.figure import Figure

from analysis.comparing.halting_settings import chosen_points, without_held_out
from analysis.comparing.probe_figures import draw_halting
from analysis.methods import Method
from tests.trm_lab.evaluation.test_halting_choice import KIND, stored
from trm_lab.evaluation.halting_choice import held_out_points


def evaluated(folder: Path, questions: Sequence[int], right_from: int, other_data: bool) -> Any:
    """An evaluation of questions that are all sure of themselves at once, and right from a step on."""
    every = [1] * len(questions)
    store = stored(folder, questions, [right_from * one for one in every], every)
    points, _ = held_out_points(store, stored(folder.with_name(f"{folder.name}-none"), [99], [1], [1]), KIND)
    return SimpleNamespace(
        folder=folder,
        halting=[point for point in points if point.policy != "q_halt"],
        other_data=other_data,
        is_of_usual_model=True,
        evaluation=SimpleNamespace(step=7),
        supervision_steps=None,
        confidence_kind=KIND,
        search=None,
    )


def method(*scored: Any) -> Method:
    run = SimpleNamespace(scored=list(scored), in_command="runs/a")
    return Method("DIS", cast(Any, [run]), 7, {})


@pytest.fixture
def test_split(tmp_path: Path) -> Any:
    return evaluated(tmp_path / "test", [1, 2], 1, other_data=False)


@pytest.fixture
def held_out(tmp_path: Path) -> Any:
    """Questions at which stopping when sure is too early; the last is of the test split, too."""
    return evaluated(tmp_path / "held-out", [3, 4, 1], 3, other_data=True)


def rules(of: Method, scored: Any) -> set[str]:
    return {point.policy for point in chosen_points(of, [scored])[0]}


def test_held_out_questions_choose_where_they_were_evaluated_and_the_test_split_is_read_off(
    test_split: Any, held_out: Any
) -> None:
    points, on_held_out = chosen_points(method(test_split, held_out), [test_split])
    assert on_held_out
    assert "confidence" not in {point.policy for point in points}
    assert all(point in test_split.halting for point in points)
    assert "confidence" in rules(method(test_split), test_split)


def test_other_questions_choose_only_for_the_same_checkpoint_and_search(test_split: Any, held_out: Any) -> None:
    for name, value in {"evaluation": SimpleNamespace(step=8), "search": {"width": 4}, "supervision_steps": 9}.items():
        other = SimpleNamespace(**(vars(held_out) | {name: value}))
        assert not chosen_points(method(test_split, other), [test_split])[1]


def test_a_figure_marks_which_questions_chose_and_a_line_says_how_to_get_held_out_ones(
    test_split: Any, held_out: Any
) -> None:
    for of, mark in ((method(test_split, held_out), "o"), (method(test_split), "s")):
        axes = Figure().subplots()
        draw_halting(axes, [(of, [test_split])])
        around = [line for line in axes.get_lines() if line.get_markerfacecolor() == "none"]
        assert [line.get_marker() for line in around] == [mark]
        told = "".join(without_held_out([(of, [test_split])]))
        assert ("python evaluate.py runs/a --data-path HELD-OUT" in told) == (mark == "s")
