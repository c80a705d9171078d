"""Weights that come from elsewhere."""

from pathlib import Path

import pytest
import torch

from tests.golden.cases import Case, rollouts
from tests.models import SHAPE, act, network
from trm.errors import UserError
from trm.model import PuzzleShape, TinyRecursiveModel
from trm_lab.configuration.architecture import architecture
from trm_lab.runs.published_pickle import read_published
from trm_lab.runs.weights import load_into, published_arch


@pytest.mark.parametrize("name", rollouts())
def test_published_checkpoints_load_under_all_prefixes(name: str, tmp_path: Path) -> None:
    case = Case(name)
    weights = case.under("final/model.inner.")
    model = case.supervision("float32").model
    for prefix in ("model.inner.", "_orig_mod.model.inner.", "module.", "module._orig_mod.model.inner."):
        torch.save({prefix + key: value for key, value in weights.items()}, tmp_path / "step_7")
        assert load_into(model, read_published(tmp_path / "step_7"), "published") == []
        assert all(torch.equal(model.state_dict()[key], value) for key, value in weights.items())


def test_weights_inside_a_trainer_s_dictionary_are_taken_out_of_it(tmp_path: Path) -> None:
    weights = {f"module.{name}": tensor for name, tensor in act().model.state_dict().items()}
    moments = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}
    beside = {"epoch": 3, "name": "x", "losses": [0.5, None], "optimizer": moments}
    integers = {"counter": torch.tensor(3), "generator": torch.get_rng_state()}
    for wrapper, others in (("model", beside), ("state_dict", beside | integers)):
        torch.save({wrapper: weights, **others}, tmp_path / "model.ckpt")
        read = read_published(tmp_path / "model.ckpt")
        assert read.keys() == {name.removeprefix("module.") for name in weights}
        assert all(torch.equal(read[name.removeprefix("module.")], tensor) for name, tensor in weights.items())
    torch.save({"lm_head.weight": torch.ones(2, dtype=torch.int64)}, tmp_path / "whole")
    with pytest.raises(UserError, match=r"lm_head\.weight is of torch\.int64"):
        read_published(tmp_path / "whole")
    torch.save({"module.a": torch.zeros(1), "a": torch.zeros(1)}, tmp_path / "twice")
    with pytest.raises(UserError, match="two tensors have the same name"):
        read_published(tmp_path / "twice")


def test_another_number_of_puzzles_starts_all_of_them_at_the_mean() -> None:
    source = act().model
    source.puzzle_emb.weights.normal_(generator=torch.Generator().manual_seed(0))  # type: ignore[union-attr]
    other = TinyRecursiveModel(network(), PuzzleShape(16, 12, 30))
    remarks = load_into(other, source.state_dict(), "theirs")
    assert remarks
    assert "9 puzzle embeddings" in remarks[0]
    mean = source.puzzle_emb.weights.mean(0)  # type: ignore[union-attr]
    torch.testing.assert_close(other.puzzle_emb.weights, mean.expand(30, -1))  # type: ignore[union-attr]


def test_another_architecture_is_refused_tensor_by_tensor() -> None:
    wide = TinyRecursiveModel(network(hidden_size=32, puzzle_emb_ndim=32), SHAPE)
    with pytest.raises(UserError) as caught:
        load_into(wide, act().model.state_dict(), "step_5")
    assert "lm_head.weight: (12, 16) instead of (12, 32)" in caught.value.given
    assert "\\n" not in caught.value.given
    assert "--data-path" in caught.value.remedy
    with pytest.raises(UserError) as caught:
        load_into(TinyRecursiveModel(network(), SHAPE, step_rows=5), act().model.state_dict(), "step_5")
    assert "timestep_embed.embedding_weight: missing" in caught.value.given


def test_a_published_arch_becomes_ours_and_what_it_never_reads_is_left_out() -> None:
    published = {
        "H_cycles": 3,
        "L_cycles": 4,
        "H_layers": 0,
        "L_layers": 2,
        "hidden_size": 512,
        "num_heads": 8,
        "expansion": 4,
        "puzzle_emb_ndim": 512,
        "puzzle_emb_len": 16,
        "pos_encodings": "rope",
        "forward_dtype": "bfloat16",
        "mlp_t": False,
        "no_ACT_continue": True,
        "halt_exploration_prob": 0.1,
        "halt_max_steps": 16,
        "name": "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1",
        "loss": {"name": "losses@ACTLossHead", "loss_type": "softmax_cross_entropy"},
    }
    trm = architecture(published_arch(published, {}))
    assert trm.supervision == "act"
    assert trm.settings.loss_type == "softmax_cross_entropy"
    dis = architecture(published_arch(published, {"timestep_embed.embedding_weight": torch.zeros(18, 512)}))
    assert dis.supervision == "dis"
    assert dis.settings.halt_max_steps == 16
