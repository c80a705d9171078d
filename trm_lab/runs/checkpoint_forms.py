"""The three forms that a checkpoint has on disk, and what each of them says of itself.

RunCheckpoint   checkpoints/step_<n>/ of a run: state.json holds step and configuration
Export          a folder that export.py wrote: model.safetensors and config.yaml
PublishedFile   a file of torch.save, such as step_155718, with all_config.yaml beside it
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trm.errors import UserError, shown
from trm.model import TRMConfig
from trm_lab.files.config_files import read_config
from trm_lab.puzzles.layout import IDENTIFIERS_FILE, read_identifiers
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_reading import FILES
from trm_lab.runs.hub import PUBLISHED, is_remote, located
from trm_lab.runs.published_pickle import LONGEST_NAME, WEIGHT_DTYPES, read_published
from trm_lab.runs.puzzle_description import KEY as PUZZLE
from trm_lab.runs.puzzle_description import PuzzleDescription
from trm_lab.runs.shipped import shipped
from trm_lab.runs.weights import EXPORTED_CONFIG, EXPORTED_WEIGHTS, MOST_SHOWN, PUBLISHED_CONFIG


@dataclass(frozen=True)
class CheckpointForm(ABC):
    """A checkpoint on this machine; `path`: its folder or file."""

    path: Path

    @property
    @abstractmethod
    def config_file(self) -> Path:
        """Where the configuration lies that belongs to the checkpoint; it may be missing."""

    @abstractmethod
    def step(self, config: Mapping[str, Any]) -> int | None:
        """The checkpoint's step, by its state, by its configuration `config`, or by its name; None without any.

        Raises:
            UserError: a damaged state, or a file under the name of another step than its configuration says.
        """

    @abstractmethod
    def _read(self, kind: str) -> dict[str, Tensor]: ...

    def weights(self, kind: str = "auto") -> dict[str, Tensor]:
        """The state dict of the model.

        kind: one of `WEIGHT_KINDS`; an export or a published file has one kind, which is `auto`.

        Raises:
            UserError: damaged or unusable files, a kind that is not there, or a weight that is not finite.
        """
        weights = self._read(kind)
        _check_finite(weights, str(self.path))
        return weights

    def config(self) -> Mapping[str, Any]:
        """The configuration of the run that trained the weights; {} where there is none.

        Raises:
            UserError: it is damaged.
        """
        return read_config(self.config_file) if self.config_file.is_file() else {}

    def row_names(self) -> list[str] | None:
        """The puzzles that the rows of the puzzle table belong to; None where the checkpoint does not say.

        Raises:
            UserError: a damaged list.
        """
        folder = self.config_file.parent
        if not (folder / IDENTIFIERS_FILE).is_file():
            return None
        try:
            return read_identifiers(folder)
        except UserError as error:
            raise UserError(
                error.given,
                "the names of the checkpoint's puzzle embeddings, one for each row",
                "copy or export the checkpoint again, with all of its files",
            ) from error

    def puzzle(self, config: Mapping[str, Any]) -> PuzzleDescription | None:
        """The puzzles that the weights were trained on; None where the checkpoint does not say.

        config: the checkpoint's configuration.

        Raises:
            UserError: what it says is no description.
        """
        if config.get(PUZZLE) is None:
            return None
        try:
            return PuzzleDescription.read(config[PUZZLE])
        except ValueError as error:
            raise UserError(
                f"{self.config_file}: {PUZZLE}: {error}",
                "the description of the puzzles that an export writes",
                "export the checkpoint again; do not use it if you do not know who made it",
            ) from error

    def described(self) -> str:
        """The checkpoint in one line: path, step, and whether its weights of kind `auto` are averaged."""
        config = self.config()
        step = self.step(config)
        named_step = "an unknown step" if step is None else f"step {step:,}"
        averaged = "averaged " if isinstance(self, RunCheckpoint) and config.get("ema") else ""
        return f"{averaged}weights of {self.path}, {named_step}"

    def differences(self, network: TRMConfig) -> list[str]:
        """A remark on settings that no shape of a weight shows, such as the number of heads, if `network` has others.

        Raises:
            UserError: a damaged state or configuration.
        """
        arch = self.config().get("arch")
        trained = arch if isinstance(arch, Mapping) else {}
        differing = [
            f"arch.{key}={shown(trained[key], 40)}, here {value}"
            for key, value in asdict(network).items()
            if key in trained and trained[key] != value
        ]
        return [f"its weights were trained with {'; '.join(differing)}"] if differing else []


class RunCheckpoint(CheckpointForm):
    """A checkpoint of a run, perhaps copied out of it."""

    @property
    def config_file(self) -> Path:
        return self.path.parents[1] / "config.yaml"

    def config(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = checkpoints.load_state(self.path)["config"]
        return config

    def step(self, config: Mapping[str, Any]) -> int:
        step: int = checkpoints.load_state(self.path)["step"]
        return step

    def row_names(self) -> list[str] | None:
        return checkpoints.load_names(self.path)

    def puzzle(self, config: Mapping[str, Any]) -> PuzzleDescription | None:
        content = checkpoints.load_state(self.path).get(PUZZLE)
        return None if content is None else PuzzleDescription.read(content)

    def _read(self, kind: str) -> dict[str, Tensor]:
        return checkpoints.load_weights(self.path, kind)


class Export(CheckpointForm):
    """A folder that export.py wrote."""

    @property
    def config_file(self) -> Path:
        return self.path / EXPORTED_CONFIG

    def step(self, config: Mapping[str, Any]) -> int | None:
        step = config.get("step")
        return step if type(step) is int else None

    def _read(self, kind: str) -> dict[str, Tensor]:
        _check_only_kind(self.path, kind)
        file = self.path / EXPORTED_WEIGHTS
        try:
            tensors = load_file(file)
            for name, tensor in tensors.items():
                if not name.isprintable() or len(name) > LONGEST_NAME:
                    raise ValueError(f"a tensor called {name}")
                if tensor.dtype not in WEIGHT_DTYPES or not tensor.numel():
                    raise ValueError(f"{name}: {tuple(tensor.shape)} of {tensor.dtype}")
        except (SafetensorError, ValueError) as error:
            raise UserError(
                f"{file}: {shown(str(error))}",
                "a whole safetensors file of floating-point tensors",
                "fetch or export it again; it may be cut off, or a git-lfs pointer",
            ) from error
        return tensors


class PublishedFile(CheckpointForm):
    """A file of torch.save."""

    @property
    def config_file(self) -> Path:
        return self.path.with_name(PUBLISHED_CONFIG)

    def step(self, config: Mapping[str, Any]) -> int | None:
        step = config.get("step")
        numbers = re.findall(r"step_(\d{1,18})(?!\d)", self.path.name, re.ASCII)
        step_in_name = int(numbers[-1]) if numbers else None
        if type(step) is int and step >= 0 and step_in_name not in (None, step):
            raise UserError(
                f"{self.path} is of step {step}, as its configuration tells: the file was renamed",
                "a checkpoint file under its own name",
                f"give it its name back: step_{step}",
            )
        return step_in_name

    def _read(self, kind: str) -> dict[str, Tensor]:
        _check_only_kind(self.path, kind)
        return read_published(self.path)


def find_checkpoint(target: str | Path) -> CheckpointForm:
    """The checkpoint at `target`: a run directory (its newest), a checkpoint, an export, a published file, or hf://…

    `pretrained/NAME` is looked for in the installation where the working folder has no such thing.

    Raises:
        UserError: there is none.
    """
    path = located(str(target)) if is_remote(str(target)) else shipped(target) or Path(target)
    if path.name == EXPORTED_WEIGHTS and (_is_export(path.parent) or _is_checkpoint(path.parent)):
        path = path.parent
    if path.is_file():
        return PublishedFile(path)
    if _is_export(path):
        return Export(path)
    if _is_checkpoint(path):
        return RunCheckpoint(path)
    if (path / EXPORTED_WEIGHTS).is_file():
        raise UserError(
            f"{path} holds {EXPORTED_WEIGHTS} without {EXPORTED_CONFIG}",
            "an exported folder with all of its files",
            "copy or export it again",
        )
    if (path / PUBLISHED_CONFIG).is_file():
        return PublishedFile(_published_in(path))
    root = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    newest, faults = checkpoints.latest(root) if root.is_dir() else (None, [])
    for fault in faults:
        print(f"left out a damaged checkpoint: {fault}", flush=True)
    if newest is None:
        raise UserError(
            f"no checkpoint at {path}",
            "a run directory, one of its checkpoints/step_<n>, an exported folder, or a published checkpoint file",
            "check the path; a run has its first checkpoint after checkpoint_interval steps",
        )
    return RunCheckpoint(newest)


def _is_checkpoint(path: Path) -> bool:
    """Whether a folder is a run's checkpoint, perhaps a damaged one; datasets and evaluations have manifests, too."""
    return (path / checkpoints.MANIFEST).is_file() and any((path / name).exists() for name in FILES)


def _is_export(path: Path) -> bool:
    return (path / EXPORTED_WEIGHTS).is_file() and (path / EXPORTED_CONFIG).is_file()


def _published_in(folder: Path) -> Path:
    """The checkpoint file beside an all_config.yaml; UserError where there are none, or several."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and PUBLISHED.fullmatch(file.name))
    if len(files) == 1:
        return files[0]
    raise UserError(
        f"{folder} holds {len(files) or 'no'} checkpoint files beside its {PUBLISHED_CONFIG}",
        ", ".join(shown(file.name) for file in files[:MOST_SHOWN]) or "a file such as step_155718",
        f"name one: --checkpoint {folder}/<file>",
    )


def _check_only_kind(path: Path, kind: str) -> None:
    if kind != "auto":
        raise UserError(
            f"weights {kind!r} of {path}, which holds one kind of weights and does not say which",
            "auto; ema and raw for checkpoints of a run",
            "leave --weights out",
        )


def _check_finite(weights: Mapping[str, Tensor], source: str) -> None:
    """UserError, with the first such tensor, where a weight is nan or infinite, or would be in float32."""
    for name, tensor in weights.items():
        finite = tensor.float().isfinite()
        if not bool(finite.all()):
            raise UserError(
                f"{source}: {int((~finite).sum()):,} of {tensor.numel():,} numbers of {shown(name, LONGEST_NAME)} are "
                "nan or infinite",
                "finite weights: an answer made with others is none",
                "use an earlier checkpoint, or fetch the file again",
            )
