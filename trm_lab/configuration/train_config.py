"""What a run can be told: the keys of TRM's published configuration, a few of our own, and their checks.

Each key belongs to one dataclass next to what it configures; a key that none of them has is an error.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from trm.errors import UserError, shown
from trm.optim import OPTIMIZERS
from trm.ranges import LARGEST_COUNT, LARGEST_SEED, check_ranges, ranged
from trm.recursion import RECURSIONS
from trm_lab.commands.choices import ATTENTION_CHOICES, COMPILE_CHOICES, DEVICE_CHOICES, PASS_KS, SAVED_OUTPUTS
from trm_lab.commands.command_line import expanded
from trm_lab.commands.project_root import PROJECT_ROOT
from trm_lab.configuration.architecture import arch_defaults, arch_keys, architecture, check_key
from trm_lab.configuration.typed_values import check_choice, plain_values, typed
from trm_lab.methods import METHODS

WANDB_MODES = ("auto", "disabled", "offline", "online")
EVALUATORS = ("arc",)
ON_NONFINITE = ("stop", "skip")
ARC_SCORES = (*(f"ARC/pass@{k}" for k in PASS_KS), "ARC/prize_score")
BEST_METRICS = ("exact_accuracy", "cell_accuracy", "lm_loss")  # after the last supervision step
MINUTES_OF_A_YEAR = 525_600.0

# keys that may differ between two launches of one run: they say how long, where or how loudly, not what
FREE_KEYS = frozenset(
    [
        "max_steps",
        "max_minutes",
        "device",
        "wandb",
        "tensorboard",
        "project_name",
        "checkpoint_path",
        "run_name",
        "checkpoint_interval",
        "checkpoint_every_minutes",
        "keep_last",
        "keep_every",
        "keep_best",
        "eval_examples",
        "eval_num_aug",
        "compile",
        "attention",
        "deterministic",
        "gradient_accumulation_steps",
        "shard_puzzle_emb",
        "on_nonfinite",
        "hang_timeout",
        "build_missing_data",
        "data_build",
        "report",
    ]
)


@dataclass
class TrainConfig:
    """Everything a run can be told, apart from the architecture (`arch`).

    A step is a supervision step, which is one update. An epoch visits every group once.

    data_paths: the datasets to train on.
    data_paths_test: the datasets to evaluate on; empty: the test split of data_paths.
    data_build: dataset → the command that builds it.
    build_missing_data: run that command where the dataset is missing.
    global_batch_size: examples at once, over all ranks.
    epochs: the run's length; max_steps and max_minutes may end it sooner.
    eval_interval: epochs between two evaluations; null: one evaluation, at the end.
    min_eval_interval: the first evaluation interval that is evaluated.
    max_steps: cap of the updates; null: none.
    max_minutes: cap of the training time, over all starts of the run and without evaluations; null: none.
    optimizer: `adam_atan2` or `adamw`, of all weights but the puzzle embedding, which has sign-SGD.
    lr: learning rate after the warm-up.
    lr_warmup_steps: steps in which the learning rate rises to lr.
    lr_min_ratio: learning rate at the end, reached by a cosine, as a share of lr; 1: constant.
    beta1: the optimizer's decay of the first moment.
    beta2: the optimizer's decay of the second moment.
    weight_decay: the optimizer's, decoupled.
    puzzle_emb_lr: learning rate of the puzzle embedding's sign-SGD.
    puzzle_emb_weight_decay: weight decay of the puzzle embedding's sign-SGD.
    ema: evaluate a moving average of the weights.
    ema_rate: the share of the moving average that stays at an update.
    freeze_weights: train the puzzle embedding only.
    evaluators: what scores besides the dataset's own scorer: `arc`, or nothing.
    eval_save_outputs: arrays to keep of each evaluation (SAVED_OUTPUTS).
    eval_examples: test examples of every evaluation but the last, at most; whole tasks drawn at random, the same at
      every evaluation and for every seed; null: all.
    eval_num_aug: augmentations of each ARC task in every evaluation but the last; null: all.
    run_name: the run's name; null: made of the settings.
    checkpoint_path: the run directory; null: runs/<run_name>.
    load_checkpoint: start from these weights.
    checkpoint_interval: steps between two checkpoints; null: at evaluations and the end.
    checkpoint_every_minutes: minutes between two checkpoints; null: not by the clock.
    checkpoint_every_eval: keep the checkpoint of every evaluation.
    keep_last: how many of the newest other checkpoints stay.
    keep_every: other checkpoints at multiples of so many steps stay; null: none.
    keep_best: the checkpoint that is best by this score stays (BEST_METRICS; with the arc evaluator ARC_SCORES too);
      null: none.
    compile: torch.compile, and CUDA graphs on a GPU: `auto`, `off` or `max` (docs/training.md).
    attention: its backend on a GPU: `auto` (PyTorch's choice), `cudnn`, `flash`, `efficient` or `math`.
    deterministic: on a GPU the same command gives the same result to the last bit.
    gradient_accumulation_steps: parts that a rank's slots go through in, to save memory.
    shard_puzzle_emb: each rank keeps a share of the puzzle table.
    on_nonfinite: at a loss or gradient that is not finite `stop`, or `skip` the update and count it.
    hang_timeout: seconds without a step after which a rank reports its stack and ends; null: never.
    seed: what all random draws follow from.
    device: `auto` (a GPU if there is one), `cpu` or `cuda`.
    log_interval: steps from record to record.
    wandb: log to wandb: `auto` (where it is configured), `disabled`, `offline` or `online`.
    project_name: wandb's project.
    tensorboard: write event files in the run directory.
    report: draw the figures at the end.
    """

    arch: dict[str, Any] = field(default_factory=dict)
    data_paths: list[str] = field(default_factory=list)
    data_paths_test: list[str] = field(default_factory=list)
    evaluators: list[Any] = field(default_factory=list)
    global_batch_size: int = ranged(768, 1, 2**24)
    epochs: int = ranged(100_000, 1, LARGEST_COUNT)
    eval_interval: int | None = ranged(None, 1, LARGEST_COUNT)
    min_eval_interval: int = ranged(0, 0, LARGEST_COUNT)
    max_steps: int | None = ranged(None, 1, LARGEST_COUNT)
    max_minutes: float | None = ranged(None, 0.0, MINUTES_OF_A_YEAR, above=True)
    optimizer: str = "adam_atan2"
    lr: float = ranged(1e-4, 0.0, 1.0)
    lr_min_ratio: float = ranged(1.0, 0.0, 1.0)
    lr_warmup_steps: int = ranged(2000, 0, LARGEST_COUNT)
    beta1: float = ranged(0.9, 0.0, 1.0, below=True)
    beta2: float = ranged(0.95, 0.0, 1.0, below=True)
    weight_decay: float = ranged(0.1, 0.0, 1000.0)
    puzzle_emb_lr: float = ranged(1e-2, 0.0, 1.0)
    puzzle_emb_weight_decay: float = ranged(0.1, 0.0, 1000.0)
    ema: bool = False
    ema_rate: float = ranged(0.999, 0.0, 1.0, below=True)
    freeze_weights: bool = False
    eval_save_outputs: list[str] = field(default_factory=list)
    eval_examples: int | None = ranged(None, 1, LARGEST_COUNT)
    eval_num_aug: int | None = ranged(None, 0, LARGEST_COUNT)
    run_name: str | None = None
    project_name: str | None = None
    checkpoint_path: str | None = None
    load_checkpoint: str | None = None
    checkpoint_every_eval: bool = True
    checkpoint_interval: int | None = ranged(1000, 1, LARGEST_COUNT)
    checkpoint_every_minutes: float | None = ranged(None, 0.0, MINUTES_OF_A_YEAR, above=True)
    keep_last: int = ranged(2, 1, LARGEST_COUNT)
    keep_every: int | None = ranged(None, 1, LARGEST_COUNT)
    keep_best: str | None = None
    compile: str = "auto"
    attention: str = "auto"
    deterministic: bool = False
    gradient_accumulation_steps: int = ranged(1, 1, 2**24)
    shard_puzzle_emb: bool = False
    on_nonfinite: str = "stop"
    hang_timeout: float | None = ranged(1800.0, 0.0, 60 * MINUTES_OF_A_YEAR, above=True)
    seed: int = ranged(0, 0, LARGEST_SEED)
    device: str = "auto"
    log_interval: int = ranged(10, 1, LARGEST_COUNT)
    wandb: str = "auto"
    tensorboard: bool = False
    data_build: dict[str, str] = field(default_factory=dict)
    build_missing_data: bool = False
    report: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        self.evaluators = [_evaluator_name(e) for e in self.evaluators]
        if not self.data_paths:
            raise UserError("data_paths is empty", "at least one dataset", 'set data_paths="[data/<name>]"')
        self.data_paths, self.data_paths_test = (
            [_path(key, path) for path in getattr(self, key)] for key in ("data_paths", "data_paths_test")
        )
        for key in ("checkpoint_path", "load_checkpoint"):
            value = getattr(self, key)
            setattr(self, key, None if value is None else _path(key, value))
        if self.run_name is not None and not self.run_name.strip():
            raise UserError("run_name is empty", "a name, or null for one made of the settings", "leave it out")
        check_choice("device", self.device, DEVICE_CHOICES)
        check_choice("wandb", self.wandb, WANDB_MODES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("compile", self.compile, COMPILE_CHOICES)
        check_choice("attention", self.attention, ATTENTION_CHOICES)
        check_choice("on_nonfinite", self.on_nonfinite, ON_NONFINITE)
        for name in self.eval_save_outputs:
            check_choice("eval_save_outputs", name, SAVED_OUTPUTS)
        if self.keep_best is not None:
            voted = ARC_SCORES if "arc" in self.evaluators else ()
            check_choice("keep_best", self.keep_best, (*BEST_METRICS, *voted))
        if any(not isinstance(command, str) or not command.strip() for command in self.data_build.values()):
            raise UserError("data_build: a command that is no text", "dataset: command", "correct data_build")
        if self.epochs % self.epochs_per_iteration:
            raise UserError(
                f"eval_interval={self.eval_interval} does not divide epochs={self.epochs}",
                "an eval_interval that divides epochs",
                f"use epochs={self.epochs - self.epochs % self.epochs_per_iteration or self.epochs_per_iteration}, "
                f"or eval_interval={_nearest_divisor(self.epochs, self.epochs_per_iteration)}",
            )

    @property
    def epochs_per_iteration(self) -> int:
        """Epochs between two evaluations."""
        return self.eval_interval or self.epochs

    @property
    def iterations(self) -> int:
        """How many stretches of training there are, each followed by an evaluation."""
        return self.epochs // self.epochs_per_iteration


def run_defaults() -> dict[str, Any]:
    """The default of every key but `arch`."""
    return {
        key.name: key.default_factory() if key.default is MISSING else key.default  # type: ignore[operator]
        for key in fields(TrainConfig)
        if key.name != "arch"
    }


def register_defaults() -> None:
    """Let Hydra compose from the dataclasses: files of configs/ only say in what they differ.

    `train_config` holds the run's keys, `arch/<method>_defaults` the network's and the method's; `arch=<method>` is the
    same for a method without a file of its own in configs/arch; `recursion=<name>` sets `arch.recursion`.
    What composes calls this first; what only reads a
    configuration never needs Hydra, such as an offline package.
    """
    from hydra.core.config_store import ConfigStore  # here: an offline package answers without Hydra

    store = ConfigStore.instance()
    store.store(name="train_config", node=run_defaults())
    for name in RECURSIONS:
        store.store(group="recursion", name=name, node={"recursion": name}, package="arch")
    for name in METHODS:
        node = {**arch_defaults(name), "puzzle_emb_ndim": "${.hidden_size}"}  # follows the width unless it is set
        store.store(group="arch", name=f"{name}_defaults", node=node)
        if not (PROJECT_ROOT / "configs/arch" / f"{name}.yaml").exists():
            store.store(group="arch", name=name, node=node)


def known_keys() -> set[str]:
    """Every key that a command line may set, dotted."""
    return {key.name for key in fields(TrainConfig)} | arch_keys()


def train_config(config: Mapping[Any, Any], keys_given: Collection[str] | None = None) -> TrainConfig:
    """The checked configuration that Hydra composed; UserError for an unknown key or an unusable value.

    keys_given: those that the user gave, None for all. An eval_interval that is not among them and does not divide
    epochs gives way to the next longer one that does.
    """
    values = plain_values(config)
    keys = known_keys()
    for key in values:
        check_key(str(key), keys)
    if keys_given is not None and "eval_interval" not in keys_given:
        values |= _dividing_interval(values.get("epochs"), values.get("eval_interval"))
    result = typed(TrainConfig, values)
    if keys_given is not None and "ema_rate" in keys_given and not result.ema:
        raise UserError(
            f"ema_rate={result.ema_rate} without ema=True would have no effect",
            "ema_rate with ema=True",
            "add ema=True, or leave ema_rate out",
        )
    result.arch = architecture(result.arch).as_dict()
    return result


def fingerprint(config: TrainConfig) -> str:
    """Six hexadecimal digits that stand for everything that decides a run's numbers."""
    decisive = {k: v for k, v in asdict(config).items() if k not in FREE_KEYS}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:6]


def _path(key: str, text: str) -> str:
    """A path that is given, with `~` written out, as on every command line."""
    try:
        return expanded(text)
    except UserError as error:
        raise UserError(f"{key}: {error.given}", error.allowed, f"write {key} out, or leave it out") from None


def _evaluator_name(value: Any) -> str:
    """`arc`, or the published form {name: arc@ARC}."""
    if isinstance(value, Mapping) and set(value) != {"name"}:
        raise UserError(
            f"evaluators: {shown(dict(value))}",
            "an evaluator's name, or {name: arc@ARC}; it takes no options (all of pass@1…1000 are reported)",
            "set evaluators=[arc]",
        )
    name = value["name"] if isinstance(value, Mapping) else value
    name = "arc" if name == "arc@ARC" else str(name)
    if name not in EVALUATORS:
        raise UserError(
            f"evaluators=[{shown(name)}]",
            "arc, which votes over augmentations, or [] for none; every dataset brings the scorer of its own answers",
            'leave evaluators out, or set evaluators="[]"',
        )
    return name


def _divisors(number: int) -> set[int]:
    return {d for i in range(1, int(number**0.5) + 1) if number % i == 0 for d in (i, number // i)}


def _nearest_divisor(number: int, near: int) -> int:
    return min(_divisors(number), key=lambda d: abs(d - near))


def _dividing_interval(epochs: Any, interval: Any) -> dict[str, int]:
    """The least eval_interval that divides epochs and is not below `interval`; {} where these are no numbers."""
    if any(type(value) is not int or not 1 <= value <= LARGEST_COUNT for value in (epochs, interval)):
        return {}
    return {"eval_interval": min((d for d in _divisors(epochs) if d >= interval), default=epochs)}
