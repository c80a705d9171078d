"""A task's file: the forms that are read, and what a stranger's file can do wrong."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trm.errors import UserError
from trm_lab.puzzles.arc.task_file import LARGEST_FILE, MOST_PAIRS, parse_task, read_task

PAIR = {"input": [[1, 2]], "output": [[3], [4]]}
TASK = {"train": [PAIR, PAIR], "test": [PAIR]}


def written(folder: Path, content: Any, name: str = "one.json") -> str:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def refusal(spec: str, canvas: int = 30) -> UserError:
    with pytest.raises(UserError) as caught:
        read_task(spec, canvas)
    return caught.value


def test_a_task_is_called_after_its_file_and_one_of_several_is_chosen_by_its_name(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, TASK, "00576224.json"))
    assert (task.name, len(task.train), len(task.test)) == ("00576224", 2, 1)
    output = task.test[0].output
    assert output is not None
    assert (output.tolist(), output.dtype) == ([[3], [4]], np.uint8)
    spec = written(tmp_path, {"a": TASK, "b": {**TASK, "train": []}})
    assert read_task(f"{spec}:b").train == ()
    assert refusal(spec).remedy == f"name it: {spec}:a"  # behind --task, or as the second word of trm-lab solve
    assert "--task" not in refusal(str(tmp_path / "none.json")).remedy
    assert "did you mean abcd?" in refusal(f"{written(tmp_path, {'abcd': TASK, 'x': TASK})}:abce").remedy
    assert read_task(written(tmp_path, {"only": TASK})).name == "only"
    assert read_task(f"{written(tmp_path, {'a:b': TASK, 'b': TASK})}:a:b").name == "a:b"


def test_outputs_hidden_in_challenges_are_taken_from_the_solutions_beside_them(tmp_path: Path) -> None:
    for hidden in ({"input": [[1]], "output": None}, {"input": [[1]]}):
        spec = written(tmp_path, {"a": {**TASK, "test": [hidden]}}, "x_challenges.json")
        assert read_task(spec).test[0].output is None
    written(tmp_path, {"a": [[[7]]]}, "x_solutions.json")
    solved = read_task(spec).test[0].output
    assert solved is not None
    assert solved.tolist() == [[7]]
    for content, problem in (({"a": []}, "0 solutions"), ({"a": [[[7]]], "zz": [[[3]]]}, "zz")):
        written(tmp_path, content, "x_solutions.json")
        assert problem in refusal(spec).given


def test_a_grid_larger_than_the_checkpoint_s_canvas_is_named_with_both_sizes(tmp_path: Path) -> None:
    spec = written(tmp_path, {"test": [{"input": [[0] * 5] * 3}]})
    assert read_task(spec, canvas=5).test[0].input.shape == (3, 5)
    error = refusal(spec, canvas=4)
    assert "test pair 0, input: 3x5 cells" in error.given
    assert "at most 4x4" in error.allowed


def test_what_is_no_task_is_refused_in_three_parts(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        ('{"test": [{"input": [[NaN]]}]}', "not JSON"),
        ({"a": 3}, "not an object"),
        ({"train": [PAIR], "test": []}, "no 'test' pairs"),
        ({"train": {}, "test": [PAIR]}, "no 'train' pairs"),
        ({"test": [PAIR] * (MOST_PAIRS + 1)}, "101 test pairs"),
        ({"\x1b[2J": TASK}, "unusable task name"),
    ]
    for content, problem in cases:
        error = refusal(written(tmp_path, content))
        assert problem in error.given
        assert all((error.allowed, error.remedy))
        assert "\x1b" not in str(error)
    os.truncate(tmp_path / "one.json", LARGEST_FILE + 1)
    for name, problem in (("gone.json", "No such file"), ("", "no regular file"), ("one.json", "more than")):
        assert problem in refusal(str(tmp_path / name)).given


KEYS = st.sampled_from(["train", "test", "input", "output"]) | st.text(max_size=2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=30)
@given(name=st.text(max_size=5), content=JSON)
def test_whatever_json_there_is_it_is_a_task_or_refused(name: str, content: Any) -> None:
    try:
        task = parse_task(name, content, "here", canvas=3)
    except UserError:
        return
    grids = [grid for pair in task.train + task.test for grid in pair.grids()]
    assert task.test
    assert all(1 <= side <= 3 for grid in grids for side in grid.shape)
    assert all(pair.output is not None for pair in task.train)
