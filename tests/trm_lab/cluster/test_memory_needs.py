"""What cannot fit into the machine is refused before it is allocated."""

import pytest
import torch

from dis_trm.supervision import DISConfig
from trm.errors import UserError
from trm.model import PuzzleShape, TinyRecursiveModel, TRMConfig
from trm_lab.cluster.memory_needs import Load, check_memory, memory_of, needed_bytes
from trm_lab.configuration.architecture import Architecture
from trm_lab.flops import trained_weights

CPU = torch.device("cpu")
SMALL = TRMConfig(hidden_size=32, num_heads=2, puzzle_emb_ndim=32, puzzle_emb_len=1)
SHAPE = PuzzleShape(16, 10, 7)


def test_the_bytes_of_a_model_are_counted_and_never_too_many() -> None:
    model = TinyRecursiveModel(SMALL, SHAPE, step_rows=5)
    held = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    counted = needed_bytes(SMALL, SHAPE, trained_weights(Architecture("dis", SMALL, DISConfig()), SHAPE), Load(slots=0))
    assert 0.9 * held < counted <= held


def test_what_fits_passes_and_what_cannot_is_refused_with_its_size() -> None:
    weights = trained_weights(Architecture("dis", SMALL, DISConfig()), SHAPE)
    check_memory(SMALL, SHAPE, weights, Load(slots=8, trains=True), CPU)
    too_many = memory_of(CPU) // (16 * 32)
    with pytest.raises(UserError, match="need at least") as refused:
        check_memory(SMALL, SHAPE, weights, Load(slots=too_many, trains=True), CPU)
    assert "global_batch_size" in refused.value.remedy
    wide = TRMConfig(hidden_size=65_536, num_heads=8, L_layers=1024)
    with pytest.raises(UserError, match="GiB"):
        check_memory(wide, SHAPE, trained_weights(Architecture("dis", wide, DISConfig()), SHAPE), Load(slots=1), CPU)
    with pytest.raises(UserError, match="puzzle embeddings"):
        check_memory(SMALL, PuzzleShape(16, 10, 2**40), weights, Load(slots=1), CPU)
