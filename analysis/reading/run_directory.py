"""What a run left behind, read from its directory and checked. No other module here reads a run's files.

Legend: R training records, S supervision steps, K stored samples, L grid tokens.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.reading.evaluations import Evaluation
from analysis.reading.run_files import (
    MOST_STEPS,
    number,
    read_arrays,
    read_lines,
    read_object,
    text,
    unreadable,
    whole,
)
from trm.config_files import read_config
from trm.errors import UserError
from trm.evaluation.arc_voting import OutputRecord
from trm.untrusted import shown

RUN_FILES = ("config.yaml", "provenance.json", "metrics.jsonl")


@dataclass(frozen=True)
class Training:
    """The training records of a run in the order of their steps.

    step: `[R]` optimizer updates made.
    loss: `[R]` mean loss of an example, averaged over the logging window.
    step_accuracy: `[R, S]` cell accuracy after each supervision step, NaN where no slot stood at that step.
    seconds: `[R]` wall clock of the window that the record closes.
    examples_per_second: `[R]` examples that took a supervision step, per second.
    """

    step: NDArray[np.int64]
    loss: NDArray[np.float64]
    step_accuracy: NDArray[np.float64]
    seconds: NDArray[np.float64]
    examples_per_second: NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Predictions kept from an evaluation, in the order of the test set.

    names: K task names. inputs: `[K, L]` uint8. labels: `[K, L]`, -100 where not scored.
    preds: `[K, S, L]` uint8, the prediction after each supervision step.
    """

    names: list[str]
    inputs: NDArray[np.uint8]
    labels: NDArray[np.int64]
    preds: NDArray[np.uint8]

    def wrong_cells(self) -> NDArray[np.bool_]:
        """Return `[K, S, L]`: where a prediction differs from a scored label."""
        return (self.preds != self.labels[:, None]) & (self.labels[:, None] >= 0)

    def exactly_right(self) -> NDArray[np.bool_]:
        """Return `[K]`: whether the last prediction is right at every scored cell."""
        return np.logical_not(self.wrong_cells()[:, -1].any(axis=-1))


@dataclass(frozen=True)
class Run:
    """A run directory; `evaluations` are ordered by step, `evaluation`, `outputs` and `samples` are of the latest.

    outputs: one record for each ARC test output; empty where the evaluation wrote no outputs.jsonl.
    """

    path: Path
    config: dict[str, Any]
    provenance: dict[str, Any]
    training: Training
    evaluations: list[Evaluation]
    evaluation: Evaluation
    outputs: list[OutputRecord]
    samples: Samples | None

    @property
    def name(self) -> str:
        return shown(self.config.get("run_name") or self.path.resolve().name, 100)


def read_run(path: Path) -> Run:
    """Read a run directory that holds at least one evaluation.

    Raises:
        UserError: `path` is not a run directory, has no evaluation yet, or holds a file of another format.
    """
    missing = [name for name in RUN_FILES if not (path / name).is_file()]
    if missing:
        state = f"has no {' and no '.join(missing)}" if path.is_dir() else "does not exist"
        raise UserError(
            f"run directory '{path}' {state}",
            f"a directory that training wrote, with {', '.join(RUN_FILES)}",
            "give the directory that the training command printed as its run directory",
        )
    records = _read_records(path / "metrics.jsonl")
    folder = _latest_evaluation(path)
    outputs = folder / "outputs.jsonl"
    return Run(
        path=path,
        config=read_config(path / "config.yaml"),
        provenance=read_object(path / "provenance.json"),
        training=_training(records, str(path / "metrics.jsonl")),
        evaluations=_evaluations(records, str(path / "metrics.jsonl")),
        evaluation=Evaluation.from_record(read_object(folder / "scores.json"), str(folder / "scores.json")),
        outputs=[_output(row, str(outputs)) for row in read_lines(outputs)] if outputs.is_file() else [],
        samples=_read_samples(folder / "rollout_samples.npz"),
    )


def _output(record: Mapping[str, Any], source: str) -> OutputRecord:
    try:
        return OutputRecord(
            task=text(record, "task", source),
            test_index=whole(record, "test_index", source),
            known=bool(record["known"]),
            rank=None if record["rank"] is None else whole(record, "rank", source),
            votes=whole(record, "votes", source),
            candidates=whole(record, "candidates", source),
            votes_of_best=whole(record, "votes_of_best", source),
            confidence_of_best=number(record, "confidence_of_best", source),
        )
    except KeyError as missing:
        raise unreadable(f"a record of {source} has no key {missing}") from None


def _read_records(path: Path) -> list[dict[str, Any]]:
    """The records in file order."""
    records = read_lines(path)
    for place, record in enumerate(records, start=1):
        if not {"kind", "step"} <= record.keys():
            raise unreadable(f"line {place} of {path} is no record with kind and step")
    return records


def _training(records: Sequence[Mapping[str, Any]], source: str) -> Training:
    rows = [record for record in records if record["kind"] == "train"]
    try:
        widest = max((len(row["step_accuracy"]) for row in rows), default=0)
        if widest > MOST_STEPS:
            raise unreadable(f"a training record of {source} has {widest:,} supervision steps")
        accuracy = np.full((len(rows), widest), np.nan)
        for index, row in enumerate(rows):
            accuracy[index, : len(row["step_accuracy"])] = [
                np.nan if value is None else value for value in row["step_accuracy"]
            ]
        return Training(
            step=np.array([row["step"] for row in rows], dtype=np.int64),
            loss=np.array([row["loss"] for row in rows], dtype=np.float64),
            step_accuracy=accuracy,
            seconds=np.array([row["timing"]["seconds"] for row in rows], dtype=np.float64),
            examples_per_second=np.array(
                [row["timing"]["examples_per_second"] for row in rows], dtype=np.float64
            ),
        )
    except KeyError as missing:
        raise unreadable(f"a training record of {source} has no key {missing}") from None
    except UserError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise unreadable(f"a training record of {source} holds something else than numbers") from None


def _evaluations(records: Sequence[Mapping[str, Any]], source: str) -> list[Evaluation]:
    rows = [record for record in records if record["kind"] == "evaluation"]
    return [
        Evaluation.from_record(
            row.get("scores", {}), f"the evaluation of step {shown(row['step'])} in {source}"
        )
        for row in rows
    ]


def _latest_evaluation(run: Path) -> Path:
    finished = {
        int(match[1]): folder
        for folder in run.glob("evaluations/step_*")
        if (match := re.fullmatch(r"step_(\d+)", folder.name)) and (folder / "scores.json").is_file()
    }
    if not finished:
        raise UserError(
            f"run directory '{run}' holds no evaluation",
            "a run with evaluations/step_<n>/scores.json",
            "let training reach its first evaluation, or run evaluate.py on the run",
        )
    return finished[max(finished)]


def _read_samples(path: Path) -> Samples | None:
    if not path.is_file():
        return None
    arrays = read_arrays(path, {"names": "U", "inputs": "iu", "labels": "iu", "preds": "iu"})
    names, inputs, labels, preds = (arrays[name] for name in ("names", "inputs", "labels", "preds"))
    fit = inputs.ndim == 2 and names.shape == inputs.shape[:1] and labels.shape == inputs.shape
    fit = fit and preds.ndim == 3 and (len(preds), preds.shape[2]) == inputs.shape
    if not fit or not preds.size:
        raise unreadable(f"{path} has arrays that do not belong together")
    if min(inputs.min(), preds.min()) < 0 or max(inputs.max(), preds.max()) > 255:
        raise unreadable(f"{path} has tokens that are no bytes")
    return Samples(
        names=[shown(name) for name in names],
        inputs=inputs.astype(np.uint8),
        labels=labels.astype(np.int64),
        preds=preds.astype(np.uint8),
    )
