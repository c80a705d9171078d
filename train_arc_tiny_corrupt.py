"""Train DIS: the compact model on ARC-AGI-1.

torchrun --nproc_per_node=1 train_arc_tiny_corrupt.py                               the released recipe
torchrun --standalone --nproc_per_node=1 train_arc_tiny_corrupt.py experiment=arc_mini      six minutes on a laptop
"""

import hydra
from omegaconf import DictConfig

import trm_lab.commands.interrupts  # noqa: F401 (first: the imports below take seconds)
from trm_lab.commands.command_line import run_command
from trm_lab.training.launch import train
from trm_lab.training.overrides import run_hydra


@hydra.main(version_base="1.3", config_path="configs", config_name="train_arc_tiny_corrupt")
def main(config: DictConfig) -> None:
    """Train what Hydra composed."""
    run_command(lambda: train(config))


if __name__ == "__main__":
    run_hydra(main)
