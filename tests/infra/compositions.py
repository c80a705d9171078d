"""What a command line of the entries composes to."""

from hydra import compose, initialize_config_dir

from tests.runs import REPOSITORY
from trm_lab.configuration.train_config import TrainConfig, train_config
from trm_lab.training.overrides import normalise

CONFIG_NAMES = {"pretrain.py": "cfg_pretrain", "train_arc_tiny_corrupt.py": "train_arc_tiny_corrupt"}


def composed(script: str, *overrides: str) -> TrainConfig:
    """The checked configuration of `script overrides…`."""
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        return train_config(compose(CONFIG_NAMES[script], normalise(overrides)))
