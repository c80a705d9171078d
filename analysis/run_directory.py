"""What a run left behind, read from its directory and checked. No other module here reads a run's files.

Legend: R training records, S supervision steps, K stored samples, L grid tokens.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from trm.errors import UserError
from trm.evaluation.arc_voting import OutputRecord, read_outputs

RUN_FILES = ("config.yaml", "provenance.json", "metrics.jsonl")
METHODS = {"act": "TRM", "trm": "TRM", "dis": "DIS"}  # of a supervision


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
class TaskScores:
    """What a dataset's own scorer said of the answers to one dataset.

    scorer: "" for datasets without one; verdicts and solved_per_step are empty then.
    examples: judged.  verdicts: how many answers of the last step got each.  solved_per_step: `[S]` counts.
    """

    dataset: str
    version: int
    protocol: str
    facts: dict[str, Any]
    scorer: str
    examples: int
    verdicts: dict[str, int]
    solved_per_step: list[int]

    @property
    def title(self) -> str:
        """The dataset in its own words."""
        if not self.version:
            return f"{self.dataset} (without a manifest)"
        return f"{self.dataset}, version {self.version}, protocol {self.protocol}"

    @property
    def best_exact_match(self) -> float | None:
        """The share of whole examples right that can be expected at best, where the dataset knows it."""
        best = self.facts.get("best_exact_match")
        return None if best is None else float(best)

    @property
    def solved_shares(self) -> list[float]:
        """`[S]`, the share solved after each supervision step."""
        return [count / self.examples for count in self.solved_per_step]


@dataclass(frozen=True)
class Evaluation:
    """The scores of one evaluation; shares lie in [0, 1].

    method: as readers call it: TRM, DIS.
    cell_accuracy, exact_accuracy, network_calls: one entry for each supervision step; calls are cumulative.
    arc_scores, counts, copy_arc_scores, copy_counts, votes_ranked_by: empty for datasets that are not ARC.
    copy_cell, copy_exact: what handing the question back unchanged would score.
    tasks: one for each dataset, in file order; empty in runs of before there were scorers.
    """

    step: int
    method: str
    seed: int
    examples: int
    calls_per_answer: int
    cell_accuracy: list[float]
    exact_accuracy: list[float]
    network_calls: list[int]
    arc_scores: dict[str, float]
    counts: dict[str, int]
    copy_cell: float
    copy_exact: float
    copy_arc_scores: dict[str, float]
    copy_counts: dict[str, int]
    votes_ranked_by: str
    examples_per_second: float
    tasks: list[TaskScores]

    @property
    def is_arc(self) -> bool:
        return bool(self.arc_scores)

    @property
    def scored_tasks(self) -> list[TaskScores]:
        """The tasks whose dataset has a scorer of its own."""
        return [task for task in self.tasks if task.solved_per_step]

    @property
    def best_exact_match(self) -> float | None:
        """The best that can be expected of `exact_accuracy`; None unless every dataset knows its own."""
        best = [task.best_exact_match for task in self.tasks]
        known = [share for share in best if share is not None]
        if not known or len(known) < len(best):
            return None
        return float(np.average(known, weights=[task.examples for task in self.tasks]))

    def __post_init__(self) -> None:
        if not self.examples:
            raise UserError(
                f"the evaluation of step {self.step} has no example with a known answer",
                "an evaluation with scores",
                "evaluate on a test split whose answers are known, such as the public evaluation set",
            )

    @classmethod
    def from_record(cls, record: Mapping[str, Any], source: str) -> "Evaluation":
        """Read the contents of a scores.json; `source` names it in errors.

        Raises:
            UserError: a key is missing, or no example had a known answer, so that there is no score.
        """
        try:
            return cls(
                step=record["step"],
                method=METHODS.get(record["method"], record["method"]),
                seed=record["seed"],
                examples=record["examples"],
                calls_per_answer=record["network_calls_per_answer"],
                cell_accuracy=record["per_step"]["cell_accuracy"],
                exact_accuracy=record["per_step"]["exact_accuracy"],
                network_calls=record["per_step"]["network_calls"],
                arc_scores=record.get("scores", {}),
                counts=record.get("counts", {}),
                copy_cell=record["copy"]["cell_accuracy"],
                copy_exact=record["copy"]["exact_accuracy"],
                copy_arc_scores=record["copy"].get("scores", {}),
                copy_counts=record["copy"].get("counts", {}),
                votes_ranked_by=record.get("votes_ranked_by", ""),
                examples_per_second=record["examples_per_second"],
                tasks=[_task_scores(task) for task in record.get("tasks", [])],
            )
        except KeyError as missing:
            raise _unreadable(f"{source} has no key {missing}") from None


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
        return str(self.config.get("run_name") or self.path.resolve().name)


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
    return Run(
        path=path,
        config=_as_mapping(
            OmegaConf.to_container(OmegaConf.load(path / "config.yaml")), path / "config.yaml"
        ),
        provenance=_read_json(path / "provenance.json"),
        training=_training(records, str(path / "metrics.jsonl")),
        evaluations=_evaluations(records, str(path / "metrics.jsonl")),
        evaluation=Evaluation.from_record(_read_json(folder / "scores.json"), str(folder / "scores.json")),
        outputs=read_outputs(outputs) if (outputs := folder / "outputs.jsonl").is_file() else [],
        samples=_read_samples(folder / "rollout_samples.npz"),
    )


def _task_scores(record: Mapping[str, Any]) -> TaskScores:
    return TaskScores(**{field.name: record[field.name] for field in fields(TaskScores)})


def _unreadable(given: str) -> UserError:
    return UserError(
        given,
        "the files as this version's trainer and evaluation write them",
        "evaluate the run again with evaluate.py, or read it with the version that wrote it",
    )


def _as_mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable(f"{path} holds a {type(value).__name__}, not a mapping")
    return value


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return _as_mapping(json.loads(path.read_text()), path)
    except json.JSONDecodeError as error:
        raise _unreadable(f"{path} is not JSON: {error}") from None


def _read_records(path: Path) -> list[dict[str, Any]]:
    """The records in file order. A last line without its newline is still being written and is left out."""
    records = []
    for number, line in enumerate(path.read_text().splitlines(keepends=True), start=1):
        if not line.endswith("\n"):
            break
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise _unreadable(f"line {number} of {path} is not JSON: {error}") from None
        if not isinstance(record, dict) or not {"kind", "step"} <= record.keys():
            raise _unreadable(f"line {number} of {path} is no record with kind and step")
        records.append(record)
    return records


def _training(records: Sequence[Mapping[str, Any]], source: str) -> Training:
    rows = [record for record in records if record["kind"] == "train"]
    try:
        widest = max((len(row["step_accuracy"]) for row in rows), default=0)
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
        raise _unreadable(f"a training record of {source} has no key {missing}") from None


def _evaluations(records: Sequence[Mapping[str, Any]], source: str) -> list[Evaluation]:
    rows = [record for record in records if record["kind"] == "evaluation"]
    return [
        Evaluation.from_record(row["scores"], f"the evaluation of step {row['step']} in {source}")
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
    with np.load(path, allow_pickle=False) as arrays:
        missing = [key for key in ("names", "inputs", "labels", "preds") if key not in arrays]
        if missing:
            raise _unreadable(f"{path} has no array {', '.join(missing)}")
        return Samples(
            names=[str(name) for name in arrays["names"]],
            inputs=arrays["inputs"],
            labels=arrays["labels"].astype(np.int64),
            preds=arrays["preds"],
        )
