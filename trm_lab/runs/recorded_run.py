"""What a run left behind, read from its directory and checked: `read_run`. The run may still be going on.

For several runs, of which some may be unreadable, see `many_runs`. Outside this room nothing reads a run's files.
Legend: R training records, S supervision steps, K stored samples, L grid tokens.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import token_dtype
from trm.errors import UserError, shown
from trm_lab.files.config_files import read_config
from trm_lab.puzzles.layout import LARGEST_VOCABULARY
from trm_lab.runs.arc_outputs import OutputRecord
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_files import (
    MOST_STEPS,
    number,
    read_arrays,
    read_growing,
    read_lines,
    read_object,
    remedied,
    text,
    unreadable,
    whole,
)
from trm_lab.runs.recorded_metrics import read_metrics
from trm_lab.runs.recorded_scores import Scored, read_scored

RUN_FILES = ("config.yaml", "provenance.json", "metrics.jsonl")
KINDS = ("train", "evaluation")  # of records
SCHEMA = 1  # of records, as they say themselves; those that do not are of before there was another


@dataclass(frozen=True)
class Training:
    """The training records of a run in the order of their steps.

    step: `[R]` optimizer updates made.
    loss: `[R]` mean loss of an example, averaged over the logging window.
    step_accuracy: `[R, S]` cell accuracy after each supervision step, NaN where no slot stood at that step.
    seconds: `[R]` wall clock of the window that the record closes.
    examples_per_second: `[R]` examples that took a supervision step, per second; NaN where all of it was warm-up.
    network_calls: `[R]` passes of the reasoning module in an update, of each slot.
    epoch: `[R]` times that the training data was gone through, NaN where not recorded.
    joules: `[R]` energy of the window, NaN where the device did not report it.
    warm_up_steps, warm_up_seconds: `[R]` of the window, updates that warmed a process up, and their time; None where
    that is not told.
    metrics: `[R, …]` every other metric by name, of the shape that its last record has; NaN where it is of another,
    is missing, or is a mean over nothing.
    """

    step: NDArray[np.int64]
    loss: NDArray[np.float64]
    step_accuracy: NDArray[np.float64]
    seconds: NDArray[np.float64]
    examples_per_second: NDArray[np.float64]
    network_calls: NDArray[np.int64]
    epoch: NDArray[np.float64]
    joules: NDArray[np.float64]
    metrics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    warm_up_steps: NDArray[np.int64] | None = None
    warm_up_seconds: NDArray[np.float64] | None = None


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

    def wrong_cells(self) -> NDArray[np.bool_]:
        """Return `[K, S, L]`: where a prediction differs from a scored label."""
        return (self.preds != self.labels[:, None]) & (self.labels[:, None] >= 0)

    def exactly_right(self) -> NDArray[np.bool_]:
        """Return `[K]`: whether the last prediction is right at every scored cell."""
        return np.logical_not(self.wrong_cells()[:, -1].any(axis=-1))


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
        state = f"has no {' and no '.join(missing)}" if path.is_dir() else "does not exist"
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
        evaluations, training = _evaluations(records, str(metrics)), _training(records, str(metrics))
    with remedied(
        "give the training command again: it puts a damaged provenance.json aside and begins a new one"
    ):
        provenance = read_object(path / "provenance.json")
    with remedied(
        "score the checkpoint again into a new folder, or move the damaged one elsewhere: "
        "then the scores are read from metrics.jsonl, without samples and outputs"
    ):
        scored, unscored = read_scored(path, _test_data(config, provenance))
        evaluations = evaluations or _trained_alike(scored)
        folder, evaluation = _latest(path, evaluations, scored, remarks)
        outputs = _outputs(folder / "outputs.jsonl") if folder else []
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
        source=f"evaluations/step_{evaluation.step}"
        if folder is None
        else f"{folder.parent.name}/{folder.name}",
        scored=scored,
        remarks=[*remarks, *unscored],
    )


def fingerprints(provenance: Mapping[str, Any]) -> dict[str, str]:
    """By path, of the datasets that a run was ever started with."""
    launches = provenance.get("launches")
    told = (
        [one.get("datasets") for one in launches if isinstance(one, Mapping)]
        if isinstance(launches, list)
        else []
    )
    return {
        path: mark
        for marks in told
        if isinstance(marks, Mapping)
        for path, mark in marks.items()
        if isinstance(mark, str)
    }


def _test_data(config: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, str | None]:
    """The data that a run is evaluated on: paths with fingerprints, where these are recorded."""
    paths = config.get("data_paths_test") or config.get("data_paths") or []
    known = fingerprints(provenance)
    return {str(path): known.get(str(path)) for path in paths} if isinstance(paths, list) else {}


def _outputs(file: Path) -> list[OutputRecord]:
    return [_output(row, str(file)) for row in read_lines(file)] if file.is_file() else []


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
    other = sorted({shown(record["kind"], 30) for record in records if record["kind"] not in KINDS})
    if other:
        remarks.append(f"{path.name} has records of other kinds, which were left out: {', '.join(other[:9])}")
    return records, remarks


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
            network_calls=np.array([row["network_calls"] for row in rows], dtype=np.int64),
            epoch=np.array([row.get("epoch", np.nan) for row in rows], dtype=np.float64),
            joules=np.array([row["timing"].get("energy_joules", np.nan) for row in rows], dtype=np.float64),
            warm_up_steps=np.array([row["timing"].get("warm_up_steps", 0) for row in rows], dtype=np.int64),
            warm_up_seconds=np.array(
                [row["timing"].get("warm_up_seconds", 0.0) for row in rows], dtype=np.float64
            ),
            metrics=read_metrics([row.get("metrics", {}) for row in rows], source),
        )
    except KeyError as missing:
        raise unreadable(f"a training record of {source} has no key {missing}") from None
    except UserError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise unreadable(f"a training record of {source} holds something else than numbers") from None


def _evaluations(records: Sequence[Mapping[str, Any]], source: str) -> list[Evaluation]:
    """In the order of their steps; of two of one step the later record counts."""
    rows = [record for record in records if record["kind"] == "evaluation"]
    read = [
        Evaluation.from_record(
            row.get("scores", {}), f"the evaluation of step {shown(row['step'])} in {source}"
        )
        for row in rows
    ]
    by_step = {evaluation.step: evaluation for evaluation in read}
    return [by_step[step] for step in sorted(by_step)]


def _trained_alike(scored: Sequence[Scored]) -> list[Evaluation]:
    """Evaluations by evaluate.py that are as training's own would be, by step."""
    return sorted({one.evaluation.step: one.evaluation for one in scored if one.is_plain}.values(), key=_step)


def _step(evaluation: Evaluation) -> int:
    return evaluation.step


def _latest(
    run: Path, known: Sequence[Evaluation], scored: Sequence[Scored], remarks: list[str]
) -> tuple[Path | None, Evaluation]:
    """The latest evaluation and its folder, or the record of it where its folder is missing, which is remarked.

    Args:
        known: those in the records of training; without any, those of evaluate.py that are like them.
    """
    folder, step = _latest_folder(run)
    if folder is not None and (not known or step >= known[-1].step):
        scores = folder / "scores.json"
        return folder, Evaluation.from_record(read_object(scores), str(scores))
    made = next((one for one in scored if known and one.evaluation is known[-1]), None)
    if made is not None:
        remarks.append(
            f"evaluations by training, which reached none: the scores are those of scored/{made.name}"
        )
        return made.folder, made.evaluation
    if known:
        remarks.append(
            f"evaluations/step_{known[-1].step} is missing: its scores are those of metrics.jsonl,"
            " without samples and outputs"
        )
        return None, known[-1]
    others = ", ".join(f"scored/{one.name}" for one in scored)
    raise UserError(
        f"run directory '{run}' holds no evaluation"
        + (f" as training makes them, only {others}" if others else ""),
        "a run with evaluations/step_<n>/scores.json, or one that evaluate.py has scored on its whole test split",
        "let training reach its first evaluation, or score its newest checkpoint",
    )


def _latest_folder(run: Path) -> tuple[Path | None, int]:
    finished = {
        int(match[1]): folder
        for folder in run.glob("evaluations/step_*")
        if (match := re.fullmatch(r"step_(\d+)", folder.name)) and (folder / "scores.json").is_file()
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
