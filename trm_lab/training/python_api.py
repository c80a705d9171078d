"""Training from Python: what `trm-lab train dis|trm|arch=… data_paths=[…] key=value …` does, in this process."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from trm.errors import UserError, shown
from trm_lab.configuration.train_config import train_config
from trm_lab.methods import METHODS
from trm_lab.runs.recorded_run import Run, read_run
from trm_lab.runs.run_directory import RunDirectory
from trm_lab.training import launch
from trm_lab.training.hydra_words import as_user_errors, check_one_value, parsed
from trm_lab.training.overrides import CONFIGS, normalise

CONFIG_OF_ARCH = {"dis": "train_arc_tiny_corrupt", "trm": "cfg_pretrain"}  # each with that arch


@dataclass(frozen=True, repr=False)
class TrainedRun:
    """A run that was trained to its end.

    recorded: everything that it wrote by then: configuration, provenance, training curves, evaluations.
    """

    recorded: Run

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.path)!r}, step {self.step})"

    @property
    def path(self) -> Path:
        """Its directory, which `trm_lab.load` takes."""
        return self.recorded.path

    @property
    def step(self) -> int:
        """Optimizer updates up to the last evaluation."""
        return self.recorded.evaluation.step

    @property
    def scores(self) -> dict[str, float]:
        """Scores of the last evaluation, shares in [0, 1]: accuracies, ARC's, or what the puzzles' scorer says."""
        last = self.recorded.evaluation
        scores = {"cell_accuracy": last.cell_accuracy[-1], "exact_accuracy": last.exact_accuracy[-1]}
        for task in last.tasks:
            scores |= {verdict: count / task.examples for verdict, count in task.verdicts.items()}
        return scores | last.arc_scores

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics of the last training record, averaged over its window."""
        training = self.recorded.training
        if not len(training.step):
            return {}
        return {"loss": float(training.loss[-1])} | {
            name: value[-1].tolist() for name, value in training.metrics.items()
        }


def train(
    arch: str = "dis",
    *,
    data: str | Path | Sequence[str | Path] | None = None,
    max_steps: int | None = None,
    experiment: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> TrainedRun:
    """Train a model, or resume: the same call again goes on where the run was interrupted, and a finished run stays.

    Args:
        arch: `dis` or `trm`, with the settings of the command of that name; or another file of `configs/arch`, or any
            method's name, with TRM's.
        data: the dataset's folder, or several; None: as the experiment says.
        max_steps: updates at most; None: as the configuration says.
        experiment: a file of `configs/experiment`; its method must be that of `dis` or `trm`.
        overrides: any keys of the configuration, such as {"arch.hidden_size": 64, "checkpoint_path": "runs/mine"}.

    Raises:
        UserError: an unknown key or an unusable value, before any long work starts.
        SystemExit: asked to stop by SIGTERM; the state is saved.

    Example:
        >>> import trm_lab
        >>> small = {"arch.hidden_size": 32, "arch.num_heads": 2, "arch.L_layers": 1, "global_batch_size": 8}
        >>> settings = small | {"checkpoint_path": "runs/mine"}
        >>> run = trm_lab.train("dis", data="data/queens", max_steps=2, overrides=settings)  # doctest: +ELLIPSIS
        no ARC tasks, so nothing votes (evaluators=[arc], the default): scored by what the dataset itself brings
        ...
        run directory: runs/mine
        >>> run.step, 0 <= run.scores["solved"] <= 1, trm_lab.load(run.path).puzzle.kind
        (2, True, 'queens')
    """
    keys: dict[str, Any] = {} if arch in CONFIG_OF_ARCH else {"arch": arch}
    if experiment is not None:
        keys["experiment"] = experiment
    if data is not None:
        keys["data_paths"] = list(data) if isinstance(data, list | tuple) else [data]
    if max_steps is not None:
        keys["max_steps"] = max_steps
    if not isinstance(overrides, Mapping | None):
        raise UserError(
            f"overrides of type {type(overrides).__name__}", "a dictionary of keys and values", 'write {"lr": 1e-3}'
        )
    keys |= overrides or {}
    config = CONFIG_OF_ARCH.get(arch, CONFIG_OF_ARCH["trm"])
    composed = composition(config, keys)
    if experiment is not None and "arch" not in keys:
        method, of_command = composed.arch.supervision, composition(config, {}).arch.supervision
        if method != of_command:
            raise UserError(
                f"train({arch!r}, experiment={experiment!r}), whose method is {METHODS[method].title}",
                f"an experiment of {METHODS[of_command].title}",
                "name the other method, or another experiment",
            )
    launch.train(composed, set(keys))
    return TrainedRun(read_run(RunDirectory.of(train_config(composed, set(keys))).path))


def composition(config: str, keys: Mapping[str, Any]) -> DictConfig:
    """What Hydra makes of a file of `configs/` and these keys.

    Raises:
        UserError: a key that does not exist, or a value that cannot be written on a command line.
    """
    words = normalise([f"{key}={_written(key, value)}" for key, value in keys.items()])
    for word in words:
        check_one_value(parsed(word, ()))
    with as_user_errors(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(config, words)


def _written(key: str, value: Any) -> str:
    """A value as Hydra's grammar has it."""
    if key in ("arch", "experiment"):
        return str(value)
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_written('', item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{_written('', item)}" for name, item in value.items()) + "}"
    raise UserError(
        f"{key}={shown(repr(value))} of type {type(value).__name__}",
        "text, a number, True, False, None, or lists and dictionaries of them",
        f"write {key} as one of these",
    )
