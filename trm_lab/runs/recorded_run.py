"""A run's records, evaluations and samples, read from its directory and checked. The run may still be going on.

For several runs, of which some may be unreadable, see `many_runs`. Outside this room nothing reads a run's files.
Legend: S supervision steps, K stored samples, L grid tokens.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL, token_dtype
from trm.errors import UserError, shown
from trm_lab.files.config_files import read_config
from trm_lab.puzzles.layout import LARGEST_VOCABULARY
from trm_lab.runs.arc_outputs import OutputRecord, read_outputs
from trm_lab.runs.evaluation_folder import SCORES_FILE
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_files import read_arrays, read_growing, read_object, remedied, unreadable
from trm_lab.runs.recorded_scores import Scored, read_scored
from trm_lab.runs.recorded_training import Training, read_training
from trm_lab.runs.records import KINDS, SCHEMA

RUN_FILES = ("config.yaml", "provenance.json", "metrics.jsonl")


@dataclass(frozen=True)
class Samples:
    """Predictions kept from an evaluation, in the order of the test set.

    names: K task names. inputs: `[K, L]`. labels: `[K, L]`, -100 where not scored.
    preds: `[K, S, L]`, the prediction after each supervision step.
    """

    names: list[str]
    inputs: NDArray[np.integer[Any]]
    labels: NDArray[np.int64]
    preds: NDArray[np.integer[Any]]

    def exactly_right(self) -> NDArray[np.bool_]:
        """`[K]`, whether the last prediction is right at every scored cell."""
        return ((self.preds[:, -1] == self.labels) | (self.labels == IGNORE_LABEL)).all(-1)


@dataclass(frozen=True)
class Run:
    """A run directory; `evaluations` are ordered by step, `evaluation`, `outputs` and `samples` are of the latest.

    They are those of training; where it stopped before its first one, those that evaluate.py made as training does.
    outputs: one record for each ARC test output; empty where the evaluation wrote no outputs.jsonl.
    source: the latest's folder in the run, such as evaluations/step_100.
    scored: the evaluations that evaluate.py made of it.
    remarks: what could not be read, or not yet, and was left out.
    """

    path: Path
    config: dict[str, Any]
    provenance: dict[str, Any]
    training: Training
    evaluations: list[Evaluation]
    evaluation: Evaluation
    outputs: list[OutputRecord]
    samples: Samples | None
    source: str
    scored: list[Scored] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run's name, or its folder's."""
        return shown(self.config.get("run_name") or self.path.resolve().name, 100)

    @property
    def in_command(self) -> str:
        """The path for a command that a reader may copy."""
        path = shown(self.path, 1000)
        return shlex.quote(f"./{path}" if path.startswith("-") else path)


def read_run(path: Path) -> Run:
    """Read a run directory that holds at least one evaluation; what is missing or half written is in its `remarks`.

    Raises:
        UserError: `path` is not a run directory, has no evaluation yet, or holds a file of another format.
    """
    missing = [name for name in RUN_FILES if not (path / name).is_file()]
    if missing:
        state = f"has no {' and no '.join(missing)}" if path.exists() else "does not exist"
        raise UserError(
            f"run directory '{path}' {state}",
            f"a directory that training wrote, with {', '.join(RUN_FILES)}",
            "give the directory that the training command printed as its run directory",
        )
    config = read_config(path / "config.yaml")
    metrics = path / "metrics.jsonl"
    with remedied(
        f"give the training command again: it resumes and mends {metrics.name}; or take the line out, if that is all"
    ):
        records, remarks = _read_records(metrics)
        evaluations = _evaluations(records, str(metrics))
        training = read_training([record for record in records if record["kind"] == "train"], str(metrics))
    with remedied("give the training command again: it puts a damaged provenance.json aside and begins a new one"):
        provenance = read_object(path / "provenance.json")
    with remedied(
        "score the checkpoint again into a new folder, or move the damaged one elsewhere: "
        "then the scores are read from metrics.jsonl, without samples and outputs"
    ):
        scored, unscored = read_scored(path, _test_data(config, provenance))
        evaluations = evaluations or _by_step(one.evaluation for one in scored if one.is_plain)
        folder, evaluation = _latest(path, evaluations, scored, remarks)
        outputs_file = folder / "outputs.jsonl" if folder else None
        outputs = read_outputs(outputs_file) if outputs_file and outputs_file.is_file() else []
        samples = _read_samples(folder / "rollout_samples.npz") if folder else None
    return Run(
        path=path,
        config=config,
        provenance=provenance,
        training=training,
        evaluations=evaluations,
        evaluation=evaluation,
        outputs=outputs,
        samples=samples,
        source=f"evaluations/step_{evaluation.step}" if folder is None else f"{folder.parent.name}/{folder.name}",
        scored=scored,
        remarks=[*remarks, *unscored],
    )


def fingerprints(provenance: Mapping[str, Any]) -> dict[str, str]:
    """The fingerprint of each dataset that a run was ever started with, by its path."""
    launches = provenance.get("launches")
    listed = launches if isinstance(launches, list) else []
    datasets = [launch.get("datasets") for launch in listed if isinstance(launch, Mapping)]
    return {
        path: fingerprint
        for by_path in datasets
        if isinstance(by_path, Mapping)
        for path, fingerprint in by_path.items()
        if isinstance(fingerprint, str)
    }


def _test_data(config: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, str | None]:
    """The data that a run is evaluated on: paths with fingerprints, where these are recorded."""
    paths = config.get("data_paths_test") or config.get("data_paths") or []
    by_path = fingerprints(provenance)
    return {str(path): by_path.get(str(path)) for path in paths} if isinstance(paths, list) else {}


def _read_records(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The records in file order, and what was left out of them."""
    records, unfinished = read_growing(path)
    for place, record in enumerate(records, start=1):
        if record.get("schema", SCHEMA) != SCHEMA:
            raise UserError(
                f"line {place} of {path} is of schema {shown(repr(record['schema']), 40)}",
                f"schema {SCHEMA}, and lines that name none",
                "read the run with the version that wrote it: provenance.json names its commit",
            )
        if not {"kind", "step"} <= record.keys():
            raise unreadable(f"line {place} of {path} is no record with kind and step")
    remarks = [f"the last line of {path.name} is not whole yet and was left out"] if unfinished else []
    last: dict[str, Any] = next((one for one in reversed(records) if one["kind"] == "evaluation"), {})
    if "ended_by" in last:
        remarks.append(
            f"the updates after step {shown(last['step'])}: {_limit(last['ended_by'])} ended the training there"
        )
    other = sorted({shown(record["kind"], 30) for record in records if record["kind"] not in KINDS})
    if other:
        remarks.append(f"{path.name} has records of other kinds, which were left out: {', '.join(other[:9])}")
    return records, remarks


def _limit(ended_by: object) -> str:
    """`max_minutes=10` for {"max_minutes": 10.0, …}."""
    minutes = ended_by.get("max_minutes") if isinstance(ended_by, dict) else None
    return f"max_minutes={minutes:g}" if isinstance(minutes, int | float) else "a limit"


def _evaluations(records: Sequence[Mapping[str, Any]], source: str) -> list[Evaluation]:
    """The evaluations among the records in the order of their steps; of two of one step the later record counts."""
    evaluations = [
        Evaluation.from_record(record.get("scores", {}), f"the evaluation of step {shown(record['step'])} in {source}")
        for record in records
        if record["kind"] == "evaluation"
    ]
    return _by_step(evaluations)


def _by_step(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    return [one for _, one in sorted({one.step: one for one in evaluations}.items())]


def _latest(
    run: Path, evaluations: Sequence[Evaluation], scored: Sequence[Scored], remarks: list[str]
) -> tuple[Path | None, Evaluation]:
    """The latest evaluation and its folder, or the record of it where its folder is missing, which is remarked.

    Args:
        evaluations: those in the records of training; without any, those of evaluate.py that are like them.
    """
    folder, step = _latest_folder(run)
    if folder is not None and (not evaluations or step >= evaluations[-1].step):
        scores = folder / SCORES_FILE
        return folder, Evaluation.from_record(read_object(scores), str(scores))
    if evaluations:
        latest = evaluations[-1]
        for plain in scored:
            if plain.evaluation is latest:
                remarks.append(
                    f"evaluations by training, which reached none: the scores are those of scored/{plain.name}"
                )
                return plain.folder, latest
        remarks.append(
            f"evaluations/step_{latest.step} is missing: its scores are those of metrics.jsonl,"
            " without samples and outputs"
        )
        return None, latest
    others = ", ".join(f"scored/{one.name}" for one in scored)
    raise UserError(
        f"run directory '{run}' holds no evaluation" + (f" as training makes them, only {others}" if others else ""),
        "a run with evaluations/step_<n>/scores.json, or one that evaluate.py has scored on its whole test split",
        "let training reach its first evaluation, or score its newest checkpoint",
    )


def _latest_folder(run: Path) -> tuple[Path | None, int]:
    finished = {
        int(match[1]): folder
        for folder in run.glob("evaluations/step_*")
        if (match := re.fullmatch(r"step_(\d+)", folder.name)) and (folder / SCORES_FILE).is_file()
    }
    if not finished:
        return None, -1
    return finished[max(finished)], max(finished)


def _read_samples(path: Path) -> Samples | None:
    if not path.is_file():
        return None
    arrays = read_arrays(path, {"names": "U", "inputs": "iu", "labels": "iu", "preds": "iu"})
    names, inputs, labels, preds = (arrays[name] for name in ("names", "inputs", "labels", "preds"))
    fit = inputs.ndim == 2 and names.shape == inputs.shape[:1] and labels.shape == inputs.shape
    fit = fit and preds.ndim == 3 and (len(preds), preds.shape[2]) == inputs.shape
    if not fit or not preds.size:
        raise unreadable(f"{path} has arrays that do not belong together")
    largest = int(max(inputs.max(), preds.max()))
    if min(inputs.min(), preds.min()) < 0 or max(largest, labels.max()) >= LARGEST_VOCABULARY:
        raise unreadable(f"{path} has tokens that no vocabulary holds")
    tokens = token_dtype(largest + 1)
    return Samples(
        names=[shown(name) for name in names],
        inputs=inputs.astype(tokens),
        labels=labels.astype(np.int64),
        preds=preds.astype(tokens),
    )
