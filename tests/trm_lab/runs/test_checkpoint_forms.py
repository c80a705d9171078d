"""The forms of a checkpoint: what a path stands for, and what is said of its weights before they are used."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.exportable import STEP, random_dis, write_run
from tests.runs import REPOSITORY
from tests.trm_lab.puzzles.arc.small_arc import build
from trm.errors import UserError
from trm.model import TinyRecursiveModel
from trm_lab.cluster.ranks import Ranks
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs.checkpoint_forms import find_checkpoint
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.training.launch import load_checkpoint


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", random_dis())


def exported(run: Path, form: str) -> Path:
    folder = run.with_name(form)
    export(ExportRequest(str(run), form, folder))
    return folder


def loaded(target: Path, **changes: Any) -> None:
    """As `load_checkpoint=target` into a model that differs in `changes` from the one that was saved."""
    saved = random_dis().model
    network = type(saved.config)(**{**vars(saved.config), **changes})
    model = TinyRecursiveModel(network, saved.shape, random_dis().step_rows(random_dis().config))
    load_checkpoint(model, str(target), Ranks(), [f"{n}" for n in range(saved.shape.num_puzzle_identifiers)])


def test_a_dataset_an_evaluation_or_a_file_without_weights_is_no_damaged_checkpoint(run: Path, tmp_path: Path) -> None:
    dataset, _ = build(tmp_path)
    for folder in (dataset, run / f"evaluations/step_{STEP}"):
        assert (folder / "manifest.json").is_file()
        with pytest.raises(UserError, match="no checkpoint at"):
            find_checkpoint(folder)
    with pytest.raises(UserError, match=r"no archive of torch\.save"):
        open_checkpoint(run / "config.yaml")


def test_the_weights_of_an_export_stand_for_its_folder_and_need_its_configuration(run: Path) -> None:
    folder = exported(run, "hub")
    step = run / f"checkpoints/step_{STEP}"
    for place in (folder, step):
        assert find_checkpoint(place / "model.safetensors").path == place
    (folder / "identifiers.json").write_text("[")
    with pytest.raises(UserError, match=r"identifiers\.json") as caught:
        loaded(folder)
    assert "export the checkpoint again" in caught.value.remedy
    (folder / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors without config\.yaml"):
        find_checkpoint(folder)


def test_a_configuration_with_values_of_other_kinds_is_refused_when_it_is_read(run: Path) -> None:
    folder = exported(run, "published")
    changes: tuple[dict[str, Any], ...] = (
        {"data_paths": [1]},
        {"data_paths_test": [["a"]]},
        {"global_batch_size": None},
        {"arch": None},
    )
    for target, file in ((folder, folder / "all_config.yaml"), (run, run / "config.yaml")):
        keys = yaml.safe_load(file.read_text())
        for change in changes if target == folder else changes[:1]:
            file.write_text(yaml.safe_dump({**keys, **change}))
            with pytest.raises(UserError, match=f"{file.name}|data_paths with 1"):
                open_checkpoint(target)


def test_a_published_file_under_another_step_s_name_is_not_loaded(run: Path) -> None:
    folder = exported(run, "published")
    (folder / f"step_{STEP}").rename(folder / "step_70")
    with pytest.raises(UserError, match=f"is of step {STEP}") as caught:
        loaded(folder / "step_70")
    assert caught.value.remedy == f"give it its name back: step_{STEP}"


def test_what_no_shape_tells_is_said_where_the_weights_were_trained_otherwise(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in (run, exported(run, "hub"), exported(run, "published")):
        loaded(target)
        assert "were trained with" not in capsys.readouterr().out
        loaded(target, num_heads=4, pos_encodings="none")
        said = capsys.readouterr().out
        assert "were trained with arch.num_heads=2, here 4; arch.pos_encodings=rope, here none" in said


def test_a_shipped_model_opens_in_every_folder_and_what_is_made_of_it_goes_into_that_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "pretrained/sudoku6_dis"
    for target in (name, f"{name}/model.safetensors"):
        assert find_checkpoint(target).path == REPOSITORY / name
    assert open_checkpoint(name).results_folder("-margins") == Path("scored/pretrained--sudoku6_dis-margins")
    with pytest.raises(UserError, match="no checkpoint at pretrained/none"):
        find_checkpoint("pretrained/none")
    exported(run, "hub").rename(tmp_path / "sudoku6_dis")
    (tmp_path / "pretrained").symlink_to(tmp_path)
    assert find_checkpoint(name).path == Path(name)  # one of the user's own
