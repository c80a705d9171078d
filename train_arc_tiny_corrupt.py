"""Train DIS: the compact model on ARC-AGI-1.

torchrun --nproc_per_node=1 train_arc_tiny_corrupt.py                               the released recipe
torchrun --standalone --nproc_per_node=1 train_arc_tiny_corrupt.py experiment=arc_mini      six minutes on a laptop
"""

import hydra
from omegaconf import DictConfig

import trm_lab.commands.interrupts  # noqa: F401 (first: what is imported later takes seconds)
from trm_lab.commands.command_line import run_command
from trm_lab.training.entry import run_entry


@hydra.main(version_base="1.3", config_path="configs", config_name="train_arc_tiny_corrupt")
def main(config: DictConfig) -> None:
    """Train what Hydra composed."""
    from trm_lab.training.launch import train  # not before the words are read: a wrong one is told sooner

    run_command(lambda: train(config))


if __name__ == "__main__":
    run_entry(main, "train_arc_tiny_corrupt.py", __doc__)
