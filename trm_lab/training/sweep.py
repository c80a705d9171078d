"""Several runs from one command (`-m`): on this machine side by side, or as SLURM's jobs, through Hydra's launchers."""

import importlib.util
import multiprocessing
import re
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from trm.errors import UserError

LAUNCHERS = {  # and the package that has each
    "basic": "",
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}


def check_launcher(name: str) -> None:
    """UserError unless Hydra has this launcher."""
    if name not in LAUNCHERS:
        raise UserError(
            f"hydra/launcher={name}",
            " | ".join(LAUNCHERS),
            "one after another: basic; on this machine's GPUs side by side: joblib; as jobs of SLURM: submitit_slurm",
        )
    package = LAUNCHERS[name]
    if package and importlib.util.find_spec("hydra_plugins." + package.replace("-", "_")) is None:
        raise UserError(
            f"hydra/launcher={name}, whose package is not installed",
            "hydra/launcher=basic, or an installed one",
            f"pip install {package}",
        )


def in_a_sweep() -> bool:
    """Whether Hydra runs this as one of several jobs (`-m`), whose runs need names of their own."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def keys_given() -> set[str] | None:
    """The keys of this run's command line; None where Hydra did not compose it."""
    if not HydraConfig.initialized():
        return None
    words: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return {word.lstrip("+~").partition("=")[0] for word in words}


def side_by_side() -> bool:
    """Whether other jobs of the sweep print to the same place at the same time."""
    return in_a_sweep() and "joblib" in str(HydraConfig.get().launcher.get("_target_", ""))


def gpu_of_worker(gpus: int) -> int | None:
    """Which of this machine's GPUs a worker beside others takes, each the next one; None in any other process.

    With more workers than GPUs some share one.
    """
    number = re.fullmatch(r"LokyProcess-(\d+)", multiprocessing.current_process().name)  # from 1
    return None if number is None else (int(number[1]) - 1) % max(1, gpus)
