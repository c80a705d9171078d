r"""Train the TRM baseline, or any other arch, on any dataset.

python pretrain.py arch=trm data_paths="[data/arc1concept-aug-1000]" arch.L_layers=2 arch.H_cycles=3 arch.L_cycles=4 \
    +run_name=trm_arc1 ema=True
"""

import hydra
from omegaconf import DictConfig

import trm_lab.commands.interrupts  # noqa: F401 (first: what is imported later takes seconds)
from trm_lab.commands.command_line import run_command
from trm_lab.training.entry import run_entry


@hydra.main(version_base="1.3", config_path="configs", config_name="cfg_pretrain")
def main(config: DictConfig) -> None:
    """Train what Hydra composed."""
    from trm_lab.training.launch import train  # not before the words are read: a wrong one is told sooner

    run_command(lambda: train(config))


if __name__ == "__main__":
    run_entry(main, "pretrain.py", __doc__)
