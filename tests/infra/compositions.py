"""What a command line of the entries composes to."""

from tests.runs import composition
from trm_lab.configuration.train_config import TrainConfig, train_config


def composed(script: str, *overrides: str) -> TrainConfig:
    """The checked configuration of `script overrides…`."""
    return train_config(composition(script, *overrides))
