"""The memory of the recipes: that each is what its experiment says, and which cards and parts follow from it."""

from dataclasses import replace

import pytest
import torch

from benchmarks import footprint
from benchmarks.footprint import CONTEXT, GIB, HEADING, RECIPES, Footprint, Recipe, divisors, row
from trm.errors import UserError


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: f"{one.name} {one.batch}")
def test_a_recipe_is_its_experiment_with_the_slots_of_one_gpu(recipe: Recipe) -> None:
    config, arch = replace(recipe, compile="off", parts=2).composed()
    assert config.run_name == recipe.task
    assert (config.global_batch_size, config.gradient_accumulation_steps, config.compile) == (recipe.batch, 2, "off")
    assert arch.network.forward_dtype == "bfloat16"
    changed = {f"arch.{key}": getattr(arch.network, key) for key in ("hidden_size", "L_layers")}
    assert dict(recipe.keys).items() <= changed.items()


def test_only_what_a_step_adds_is_divided_by_the_parts() -> None:
    whole = Footprint(allocated=20 * GIB, reserved=22 * GIB, between_steps=3 * GIB, carried=GIB, moved=0)
    assert whole.in_parts(1) == 22 * GIB
    assert whole.in_parts(4) == pytest.approx((4 + 16 / 4) * 1.1 * GIB)


def test_a_row_names_the_smallest_card_and_the_fewest_parts() -> None:
    cells = dict(zip(HEADING, row(RECIPES[0], Footprint(90 * GIB, 95 * GIB, GIB, 0, 40 * 10**9)), strict=True))
    assert (cells["fits on"], cells["parts on 80 GB"], cells["parts on 24 GB"]) == ("141 GB", "2", "8")
    assert cells["GB moved"] == "40.0"
    small = dict(zip(HEADING, row(RECIPES[0], Footprint(9 * GIB, 10 * GIB, GIB, 0, 0)), strict=True))
    assert (small["fits on"], small["parts on 24 GB"], small["GB moved"]) == ("16 GB", "1", "")


def test_cuda_itself_takes_some_of_a_card() -> None:
    room = int(footprint.CARDS[24] * GIB - CONTEXT)
    assert footprint.fits(room, 24)
    assert not footprint.fits(room + 1, 24)


def test_slots_are_cut_into_equal_parts() -> None:
    assert list(divisors(12)) == [1, 2, 3, 4, 6, 12]


def test_why_a_recipe_was_not_measured_stands_in_its_row() -> None:
    cells = row(RECIPES[0], "does not fit into the device's memory")
    assert len(cells) == len(HEADING)
    assert cells[3] == "does not fit into the device's memory"


def test_an_experiment_without_a_recipe_is_answered_with_those_that_have_one() -> None:
    for names in (["arc2_dis"], ["arc1_dis", "arc2_dis"]):
        with pytest.raises(UserError, match=r"no recipe here for arc2_dis\n.*arc1_trm_attention"):
            footprint.main(names)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_without_a_gpu_the_command_says_so() -> None:
    with pytest.raises(UserError, match="finds no CUDA device"):
        footprint.main(["nqueens_dis"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_parts_take_the_memory_that_is_estimated() -> None:
    device = torch.device("cuda", 0)
    recipe = Recipe("dis", "", "nqueens_dis", 256, "bfloat16", "off")
    whole, parts = (footprint.measured(replace(recipe, parts=parts), device) for parts in (1, 4))
    assert isinstance(whole, Footprint)
    assert isinstance(parts, Footprint)
    assert whole.in_parts(4) == pytest.approx(parts.reserved, rel=0.1)
