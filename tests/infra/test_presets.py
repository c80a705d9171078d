"""The presets for 1, 4 and 8 GPUs: the released settings, and the published rules of a larger batch."""

import re
from dataclasses import asdict
from typing import Any

import pytest

from tests.infra.compositions import CONFIG_NAMES, composed
from tests.runs import REPOSITORY

FOLDER = REPOSITORY / "configs/experiment"
SCALED = sorted(p.stem for p in FOLDER.glob("*.yaml") if re.search(r"_[148]gpu", p.stem))
NOT_THE_RUN = {"run_name", "gradient_accumulation_steps"}


def preset(name: str) -> dict[str, Any]:
    script = "train_arc_tiny_corrupt.py" if "_dis_" in name else "pretrain.py"
    return asdict(composed(script, f"experiment={name}"))


def difference(name: str, base: str) -> dict[str, Any]:
    """The keys in which `name` is another run than `base`, with `name`'s values."""
    ours, theirs = preset(name), preset(base)
    return {key: ours[key] for key in ours if ours[key] != theirs[key] and key not in NOT_THE_RUN}


def test_four_gpus_train_the_released_recipe() -> None:
    release = asdict(composed("train_arc_tiny_corrupt.py"))
    ours = preset("arc1_dis_4gpu")
    assert {k for k in ours if ours[k] != release[k]} == {"run_name"}


@pytest.mark.parametrize(
    ("one", "base"),
    [
        ("arc1_dis_1gpu", "arc1_dis_4gpu"),
        ("arc2_dis_1gpu", "arc2_dis_4gpu"),
        ("arc1_trm_attention_1gpu", "arc1_trm_attention"),
    ],
)
def test_one_gpu_trains_the_same_run(one: str, base: str) -> None:
    assert difference(one, base) == {}


@pytest.mark.parametrize(
    ("eight", "base"),
    [
        ("arc1_dis_8gpu", "arc1_dis_4gpu"),
        ("arc2_dis_8gpu", "arc2_dis_4gpu"),
        ("arc1_trm_attention_8gpu_scaled", "arc1_trm_attention"),
    ],
)
def test_eight_gpus_double_batch_rate_and_warm_up_and_nothing_else(eight: str, base: str) -> None:
    start, found = preset(base), difference(eight, base)
    found.pop("eval_interval", None)  # how often a run is looked at
    assert found == {k: 2 * start[k] for k in ("global_batch_size", "lr", "lr_warmup_steps")}


def test_a_larger_dataset_or_network_changes_nothing_else() -> None:
    for gpus in (1, 4, 8):
        assert set(difference(f"arc2_dis_{gpus}gpu", f"arc1_dis_{gpus}gpu")) == {"data_paths"}
    assert set(difference("arc1_dis_medium", "arc1_dis_4gpu")) == {"arch"}
    assert set(difference("arc2_dis_medium", "arc1_dis_medium")) == {"data_paths"}
    arch = preset("arc1_dis_medium")["arch"]
    assert (arch["hidden_size"], arch["L_layers"], arch["puzzle_emb_ndim"]) == (512, 2, 512)


@pytest.mark.parametrize("name", SCALED)
def test_a_preset_s_command_uses_the_gpus_that_it_is_named_for(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    gpus = re.search(r"_([148])gpu", name)
    command = re.search(r"# Command: torchrun .*--nproc_per_node=(\d+) (\S+) experiment=(\S+)", text)
    assert gpus
    assert command
    assert (command[1], command[3]) == (gpus[1], name)
    assert command[2] in CONFIG_NAMES
    config = composed(command[2], f"experiment={name}")
    assert (config.run_name, config.global_batch_size % int(gpus[1])) == (name, 0)
