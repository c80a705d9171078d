"""What a checkpoint tells of its data: the canvas, whether it is ARC's, and which puzzles it knows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.exportable import random_dis, write_run
from tests.models import act
from tests.trm_lab.puzzles.arc.small_arc import build
from trm.errors import UserError
from trm_lab.inference.arc_checkpoint import arc_supervision, canvas_of, seq_len, trained_puzzles
from trm_lab.puzzles.layout import read_identifiers
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedCheckpoint:
    return open_checkpoint(write_run(tmp_path_factory.mktemp("opened") / "run", random_dis()))


def without_slots(opened: OpenedCheckpoint, **config: object) -> OpenedCheckpoint:
    form = replace(opened.form, path=opened.path / "elsewhere")
    return replace(opened, form=form, config={**opened.config, **config})


def test_the_canvas_is_that_of_the_run_s_slots_of_position_rows_of_a_dataset_or_the_published_one(
    opened: OpenedCheckpoint, tmp_path: Path
) -> None:
    assert canvas_of(opened) == 4
    assert canvas_of(without_slots(opened, seq_len=25)) == 5  # as an export says it
    assert seq_len(without_slots(opened, seq_len=True)) is None
    learned, mixed = act(pos_encodings="learned"), act(mlp_t=True, pos_encodings="none")
    for name, supervision in (("learned", learned), ("mixed", mixed)):
        run = write_run(tmp_path / name, supervision, "act")
        assert canvas_of(without_slots(open_checkpoint(run))) == 4
    dataset, _ = build(tmp_path, max_grid_size=6)
    assert canvas_of(without_slots(opened), [str(tmp_path / "missing"), str(dataset)]) == 6
    assert canvas_of(without_slots(opened)) == 30


def test_a_checkpoint_of_other_data_than_arc_s_is_refused(opened: OpenedCheckpoint) -> None:
    with pytest.raises(UserError, match="12 different tokens, 24 in an example"):
        canvas_of(without_slots(opened, seq_len=24))
    words = {**opened.weights, "embed_tokens.embedding_weight": torch.zeros(11, 16)}
    with pytest.raises(UserError, match="trained on ARC"):
        canvas_of(replace(opened, weights=words))


def test_puzzles_are_known_by_the_dataset_that_has_as_many(opened: OpenedCheckpoint, tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, max_grid_size=5)
    assert trained_puzzles(opened) == {}  # its own dataset is not at hand
    with pytest.raises(UserError, match="no dataset at missing"):
        trained_puzzles(replace(opened), ["missing"])
    with pytest.raises(UserError, match="9"):
        trained_puzzles(opened, [str(dataset)])
    (dataset / "identifiers.json").write_text(json.dumps(read_identifiers(dataset)[:9]))
    names = trained_puzzles(opened, [str(dataset)])
    assert names["<blank>"] == 0
    assert sorted(names.values()) == list(range(9))


def test_the_model_for_single_tasks_has_the_weights_but_one_row_for_the_table(opened: OpenedCheckpoint) -> None:
    model = arc_supervision(opened, 4).model
    assert model.puzzle_emb is not None
    assert len(model.puzzle_emb.weights) == 1
    others = {name: tensor for name, tensor in model.state_dict().items() if name != "puzzle_emb.weights"}
    assert all(tensor.equal(opened.weights[name]) for name, tensor in others.items())
