"""Rows of a puzzle table go by the names of their puzzles, wherever weights are taken up."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.models import act, network
from tests.runs import build_small_arc, command, finish
from tests.trm_lab.training.test_every_preset import LENGTH, run
from trm.errors import UserError
from trm.model import PuzzleShape, TinyRecursiveModel
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.inference.arc_checkpoint import trained_puzzles
from trm_lab.puzzles.layout import BLANK, read_identifiers
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.runs.identifier_names import fill_by_name
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.weights import PUZZLE_ROWS, load_into


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of this folder's tests, built with another seed."""
    return build_small_arc(tmp_path_factory.mktemp("rebuilt") / "arc-small", "--seed", "1")


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    run(dataset, folder, "arch=dis", "max_steps=3", "evaluators=[]")
    return folder


def table(run: Path, step: int) -> torch.Tensor:
    return load_file(run / f"checkpoints/step_{step}/model.safetensors")[PUZZLE_ROWS]


def expected(rows: torch.Tensor, names: list[str], identifiers: list[str]) -> torch.Tensor:
    """By the plainest reading of the rule."""
    return torch.stack([rows[names.index(name)] if name in names else rows.mean(0) for name in identifiers])


def test_rows_are_matched_by_name_and_the_others_start_at_the_mean() -> None:
    rows, table = torch.arange(8.0).reshape(4, 2), torch.zeros(5, 2)
    match = fill_by_name(table, rows, [BLANK, "a", "b", "c"], [BLANK, "c", "new", BLANK, "a"])
    torch.testing.assert_close(table, torch.stack([rows[0], rows[3], rows.mean(0), rows.mean(0), rows[1]]))
    assert (match.matched, match.identifiers, match.as_is) == (2, 3, False)
    assert "2 of the dataset's 3" in match.remark("theirs")
    padding = torch.zeros(1, 2)
    fill_by_name(padding, rows, [BLANK, "a", "b", "c"], [BLANK])
    torch.testing.assert_close(padding[0], rows.mean(0))  # padding was never trained


def test_hundreds_of_thousands_of_rows_are_matched_in_pieces() -> None:
    names = [BLANK, *(f"task{n}" for n in range(150_000))]
    rows, table = torch.arange(len(names), dtype=torch.float32)[:, None], torch.zeros(len(names), 1)
    assert fill_by_name(table, rows, names, [BLANK, *reversed(names[1:])]).matched == 150_000
    assert torch.equal(table[1:], rows[1:].flip(0))


def test_weights_without_names_are_taken_in_order_which_is_said_and_names_of_another_table_are_refused() -> None:
    source, other = act().model, act().model
    (remark,) = load_into(other, source.state_dict(), "theirs", None, [BLANK, *"abcdefgh"])
    assert "cannot be checked" in remark
    with pytest.raises(UserError, match="9 puzzle embeddings and 2 names"):
        load_into(other, source.state_dict(), "theirs", [BLANK, "a"], [BLANK, "a"])
    blank_only = TinyRecursiveModel(network(), PuzzleShape(16, 12, 1))
    assert load_into(blank_only, blank_only.state_dict(), "theirs", None, [BLANK]) == []


def test_a_run_started_from_another_dataset_s_on_a_hub_takes_the_rows_of_the_same_names(
    trained: Path,
    dataset: Path,
    rebuilt: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("trm_lab.runs.checkpoint_forms.located", {"hf://owner/name": trained}.__getitem__)
    begun = ("load_checkpoint=hf://owner/name", "puzzle_emb_lr=0", "max_steps=1")
    run(rebuilt, tmp_path / "next", "arch=dis", "evaluators=[]", *begun)
    said = capsys.readouterr().out
    assert "step 3; the optimizer and the step start anew" in said
    names, identifiers = read_identifiers(dataset), read_identifiers(rebuilt)
    assert names != identifiers
    assert len(names) == len(identifiers)
    shared = len(set(names) & set(identifiers)) - 1
    assert f"{shared} of the dataset's {len(identifiers) - 1} puzzle embeddings matched by name" in said
    started = expected(table(trained, 3), names, identifiers)
    torch.testing.assert_close(table(tmp_path / "next", 1), started, rtol=0, atol=1e-6)


@pytest.mark.long
def test_a_table_that_ranks_share_is_matched_by_name_as_well(
    trained: Path, dataset: Path, rebuilt: Path, tmp_path: Path
) -> None:
    place = (f"data_paths=[{rebuilt}]", "checkpoint_path=next", f"load_checkpoint={trained}", "evaluators=[]")
    few = (*LENGTH, "max_steps=1", "puzzle_emb_lr=0", "shard_puzzle_emb=True")
    said = finish(command("train_arc_tiny_corrupt.py", *place, *few, ranks=2), tmp_path)
    assert said.count("puzzle embeddings matched by name") == 1
    started = expected(table(trained, 3), read_identifiers(dataset), read_identifiers(rebuilt))
    torch.testing.assert_close(table(tmp_path / "next", 1), started, rtol=0, atol=1e-6)
    assert json.loads((tmp_path / "next/checkpoints/step_1/identifiers.json").read_text()) == read_identifiers(rebuilt)


def test_an_evaluation_on_a_rebuilt_dataset_says_so_and_uses_each_puzzle_s_own_row(
    trained: Path, dataset: Path, rebuilt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(trained, tmp_path / "run")
    config = (copy / "config.yaml").read_text()
    moved = re.sub("^data_paths:\n- .*$", f"data_paths:\n- {rebuilt}", config, flags=re.M)
    (copy / "config.yaml").write_text(moved)
    score(ScoringRequest(str(copy), output=tmp_path / "scored", device="cpu"))
    said = capsys.readouterr().out
    assert f"{rebuilt} is not the data that {copy} was tested on in training" in said
    assert "puzzle embeddings matched by name; the other" in said
    datasets = json.loads((tmp_path / "scored/scores.json").read_text())["datasets"]
    assert [data["path"] for data in datasets] == [str(rebuilt)]
    opened = open_checkpoint(trained)
    assert opened.row_names == read_identifiers(dataset) != read_identifiers(rebuilt)
    puzzles = trained_puzzles(opened, [str(rebuilt)])  # its own names, not those of data that has as many
    assert puzzles == {name: row for row, name in enumerate(read_identifiers(dataset))}


def test_other_data_than_the_run_s_is_looked_for_in_what_the_run_was_trained_on(
    trained: Path, dataset: Path, rebuilt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = rebuilt.rename(rebuilt.with_name("other"))
    score(ScoringRequest(str(trained), data_paths=[str(other)], output=tmp_path / "scored", device="cpu"))
    other.rename(rebuilt)
    assert f"{other}: whether it stands in training is looked for in {dataset}\n" in capsys.readouterr().out
    data = EvaluationData([dataset], global_batch_size=8)
    moved = [{"path": str(tmp_path / "moved"), "fingerprint": data.described[0]["fingerprint"]}]
    opened = open_checkpoint(trained)
    assert opened.training_data(data.described, data.metadata.seq_len) == ([dataset], [])
    assert opened.training_data(moved, data.metadata.seq_len) == ([tmp_path / "moved"], [])


PRINTS = {"A": "print of A", "B": "print of B"}


@pytest.mark.parametrize(
    ("trained_on", "tested", "found", "said"),
    [
        (None, "there/A", ["there/A"], "does not say what it was trained on"),
        (["data/A"], "there/A", ["there/A"], ""),  # an export names its data, and has no fingerprints
        (["data/A", "data/B"], "there/A", [], "is not known: data/B is not here"),
        (["data/B"], "there/A", [], "is not known: data/B is not here"),
        (["b" * 300], "there/A", [], "is not here"),
        (["a\0b"], "there/A", [], "is not here"),
    ],
)
def test_where_it_is_not_known_what_stands_in_training_a_line_says_so(
    trained_on: list[str] | None, tested: str, found: list[str], said: str, trained: Path
) -> None:
    opened = replace(open_checkpoint(trained), config={"data_paths": trained_on, "data_paths_test": ["elsewhere"]})
    described = [{"path": tested, "fingerprint": PRINTS[Path(tested).name]}]
    places, remarks = opened.training_data(described, seq_len=9)
    assert places == [Path(path) for path in found]
    assert said in "".join(remarks)
    assert bool(remarks) == bool(said)


def test_data_of_the_run_s_that_was_built_anew_is_nowhere(trained: Path, rebuilt: Path) -> None:
    opened = open_checkpoint(trained)
    opened = replace(opened, config={**opened.config, "data_paths": [str(rebuilt)]})
    places, (remark,) = opened.training_data([{"path": "other", "fingerprint": "another"}], LENGTH)
    assert places == []
    assert f"{rebuilt} is not here as it was" in remark


def test_a_lone_checkpoint_opens_also_of_before_names_and_damaged_names_are_damage(
    trained: Path, tmp_path: Path
) -> None:
    checkpoint = shutil.copytree(trained / "checkpoints/step_3", tmp_path / "step_3")
    opened = open_checkpoint(checkpoint)
    assert (opened.step, opened.row_names) == (3, open_checkpoint(trained).row_names)
    with (checkpoint / "identifiers.json").open("r+b") as stream:
        stream.write(b'["<BLANK')
    with pytest.raises(UserError, match=r"identifiers.json differs from its checksum"):
        _ = open_checkpoint(checkpoint).row_names
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    del manifest["files"]["identifiers.json"]
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))
    assert open_checkpoint(checkpoint).row_names is None


def test_a_renamed_checkpoint_is_noticed_wherever_it_is_opened(
    trained: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    (copy / "checkpoints/step_3").rename(copy / "checkpoints/step_7")
    for target in (copy, copy / "checkpoints/step_7"):
        with pytest.raises(UserError, match="it holds step_3: the folder was renamed"):
            open_checkpoint(target)
    start = f"load_checkpoint={copy}/checkpoints/step_7"
    with pytest.raises(UserError, match="it holds step_3"):
        run(dataset, tmp_path / "b", "arch=dis", "max_steps=1", "evaluators=[]", start)


def test_an_edited_configuration_is_noticed_and_the_checkpoint_s_own_counts(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("num_heads: 2", "num_heads: 4"))
    assert open_checkpoint(copy).arch.network.num_heads == 2
    assert "arch.num_heads: 2 → 4" in capsys.readouterr().err
    assert open_checkpoint(copy, config=copy / "config.yaml").arch.network.num_heads == 4
    assert "arch.num_heads: 2 → 4" in capsys.readouterr().err
