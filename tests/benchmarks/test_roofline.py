"""The bytes of the roofline, written out by hand."""

from benchmarks.roofline import step_bytes
from dis_trm.supervision import DISConfig
from tests import models
from trm.act import ACTConfig
from trm_lab.configuration.architecture import Architecture


def test_bytes_are_operands_and_results_once_and_the_update() -> None:
    """One layer, one pass forward and back, no puzzle tokens."""
    changes = {"puzzle_emb_ndim": 0, "puzzle_emb_len": 0, "H_cycles": 1, "L_cycles": 1}
    network, settings = models.network(**changes), DISConfig(halt_max_steps=3, step_index="none")
    S, D, I, V, B = 16, 16, 256, 12, 4  # noqa: E741
    weights = 3 * D * D + D * D + 3 * I * D
    activations = 4 * S * D + 2 * S * D + 4 * S * D + S * (D + 2 * I) + S * (I + D)
    one_pass, head = B * activations + weights, B * S * (D + V) + D * V
    halting = B * (D + 2) + 2 * D
    moved = 4 * (2 * 3 * one_pass + 3 * head + halting) + 4 * 7 * (weights + 2 * D * V)
    assert step_bytes(Architecture("dis", network, settings), models.SHAPE, B) == moved


def test_the_weights_are_read_once_whatever_the_batch() -> None:
    arch = Architecture("act", models.network(), ACTConfig())
    assert step_bytes(arch, models.SHAPE, 8) < 2 * step_bytes(arch, models.SHAPE, 4)
