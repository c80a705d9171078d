"""One check for comparing, pooling and tests between runs: only answers to the same questions go together."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trm.errors import UserError
from trm_lab.evaluation.comparison import compare_evaluations
from trm_lab.runs.questions import check_same_questions, read_questions

QUEENS = {"name": "nqueens-8", "version": 1, "protocol": "clean", "fingerprint": "a" * 64, "split": "test", "path": "q"}
MAZES = QUEENS | {"name": "maze-30x30", "fingerprint": "b" * 64}
OTHER_SEED = QUEENS | {"fingerprint": "c" * 64}
TRAINING = QUEENS | {"split": "train"}
EVALUATED = {"tasks": None, "first_tasks": None, "augmentations": None, "data_paths": ["data/q"]}


def evaluation(folder: Path, datasets: list[dict[str, Any]] | None, rows: int = 40, **evaluated: Any) -> Path:
    """An evaluation whose rows are numbered, as of every dataset that is not ARC."""
    folder.mkdir(parents=True)
    scores: dict[str, Any] = {"evaluated": EVALUATED | evaluated, "tasks": [{"dataset": "nqueens-8"}]}
    (folder / "scores.json").write_text(json.dumps(scores | ({"datasets": datasets} if datasets else {})))
    keys = np.array([f"all/{row}" for row in range(1, rows + 1)])
    np.savez(folder / "examples.npz", key=keys, right=np.arange(rows) % 3 == 0)
    return folder


def ask(folder: Path, questions: list[int]) -> Path:
    """Give the rows digests of what they ask."""
    with np.load(folder / "examples.npz") as arrays:
        np.savez(folder / "examples.npz", **arrays, question=np.array(questions, np.uint64))
    return folder


def tasks(folder: Path, names: str, **evaluated: Any) -> Path:
    """An ARC evaluation, whose tasks have names."""
    evaluation(folder, [QUEENS], **evaluated)
    (folder / "examples.npz").unlink()
    known = {"test_index": 0, "known": True, "rank": 1, "votes": 3, "candidates": 1}
    rest = {"votes_of_best": 3, "confidence_of_best": 0.5, "votes_of_answer": 3, "rank_of_answer": 1}
    lines = [json.dumps({"task": name, **known, **rest}) for name in names]
    (folder / "outputs.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_rows_of_other_data_are_not_compared_by_their_numbers(tmp_path: Path) -> None:
    """What counts is the fingerprint, not the name or the place."""
    first = evaluation(tmp_path / "a", [QUEENS])
    for number, datasets in enumerate(([OTHER_SEED], [TRAINING], [QUEENS, MAZES])):
        other = evaluation(tmp_path / str(number), datasets)
        with pytest.raises(UserError, match="answered different questions: of nqueens-8") as caught:
            compare_evaluations(first, other, np.random.default_rng(0), common=True)
        assert "fingerprint" in caught.value.allowed
        assert len(caught.value.given.splitlines()) == 1
    moved = QUEENS | {"path": "elsewhere", "name": "renamed"}
    same = evaluation(tmp_path / "b", [moved], data_paths=["elsewhere"])
    assert compare_evaluations(first, same, np.random.default_rng(0)).ties == 40


def test_numbered_rows_of_another_part_are_not_compared_unless_they_tell_what_they_ask(tmp_path: Path) -> None:
    whole, rng = evaluation(tmp_path / "a", [QUEENS]), np.random.default_rng(0)
    chosen, first = (
        evaluation(tmp_path / name, [QUEENS], **part)
        for name, part in (("b", {"tasks": ["x"]}), ("c", {"first_tasks": 40}))
    )
    for part in (chosen, first):
        with pytest.raises(UserError, match="answered different questions: other --"):
            compare_evaluations(whole, part, rng, common=True)
    ask(whole, list(range(40)))
    assert compare_evaluations(whole, ask(chosen, list(range(40))), rng).tasks == 40
    with pytest.raises(UserError, match="different questions in 1 tasks: all/40"):
        compare_evaluations(whole, ask(first, [*range(39), 99]), rng, common=True)


def test_named_tasks_of_another_part_are_compared_on_those_that_both_have(tmp_path: Path) -> None:
    whole, part = tasks(tmp_path / "a", "abcdef"), tasks(tmp_path / "b", "bcd", tasks=["b", "c", "d"])
    with pytest.raises(UserError, match="has 3 tasks: a, e, f"):
        compare_evaluations(whole, part, np.random.default_rng(0))
    found = compare_evaluations(whole, part, np.random.default_rng(0), common=True)
    assert (found.tasks, found.first.left_out) == (3, 3)


def test_pooled_evaluations_have_the_same_part_as_well(tmp_path: Path) -> None:
    whole = read_questions(evaluation(tmp_path / "a", [QUEENS]))
    part = read_questions(evaluation(tmp_path / "b", [QUEENS], first_tasks=3, augmentations=2))
    check_same_questions([whole, part], same_selection=False)
    with pytest.raises(UserError, match="other --first-tasks and --num-aug"):
        check_same_questions([whole, part])


def test_an_evaluation_of_before_scores_named_their_data_is_known_by_its_answers_or_its_run(tmp_path: Path) -> None:
    """And refused where neither tells."""
    new = read_questions(evaluation(tmp_path / "new", [QUEENS]))
    old = evaluation(tmp_path / "run/scored/old", None)
    with pytest.raises(UserError, match="does not say which dataset it is of"):
        check_same_questions([new, read_questions(old)])
    launch = {"datasets": {"data/q": QUEENS["fingerprint"]}}
    (tmp_path / "run/provenance.json").write_text(json.dumps({"launches": [launch]}))
    check_same_questions([new, read_questions(old)])
    (old / "predictions.json").write_text(json.dumps({"request": {"data": [MAZES["fingerprint"]]}}))
    with pytest.raises(UserError, match=r"of nqueens-8 \(test, aaaaaaaaaaaa\), and of"):
        check_same_questions([new, read_questions(old)])


def test_a_sample_is_not_compared_by_the_numbers_of_its_rows(tmp_path: Path) -> None:
    whole, sample = (evaluation(tmp_path / name, [QUEENS]) for name in ("whole", "sample"))
    scores = json.loads((sample / "scores.json").read_text())
    part = {"part": {"examples": 40, "of": 90, "sampled": 40}}
    (sample / "scores.json").write_text(json.dumps(scores | part))
    with pytest.raises(UserError, match="other --examples"):
        compare_evaluations(whole, sample, np.random.default_rng(0))


def test_a_stranger_s_scores_end_in_three_parts(tmp_path: Path) -> None:
    for content in ("[]", "{", '{"datasets": 3}', '{"datasets": [{"name": 1}]}', '{"evaluated": 1}'):
        (tmp_path / "scores.json").write_text(content)
        with pytest.raises(UserError, match=r"scores\.json") as caught:
            read_questions(tmp_path)
        assert "evaluate again" in caught.value.remedy
    with pytest.raises(UserError, match="No such file"):
        read_questions(tmp_path / "missing")
