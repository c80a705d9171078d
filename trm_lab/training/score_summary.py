"""An evaluation of a run: written, in one line, and as the number by which the best checkpoint is chosen."""

from pathlib import Path
from typing import Any

from trm.errors import UserError, report
from trm_lab.configuration.train_config import ARC_SCORES
from trm_lab.evaluation.baselines import best_baseline
from trm_lab.evaluation.scores_table import part_in_words
from trm_lab.runs.evaluation_folder import EvaluationResults, write_evaluation
from trm_lab.runs.retention import mark_best, read_best


def metric_value(scores: dict[str, Any], metric: str) -> float:
    """The number by which `keep_best` compares; nan where this evaluation has none (hidden answers, say)."""
    if metric in ARC_SCORES:
        value = scores.get("scores", {}).get(metric)
    elif metric == "lm_loss":
        value = scores["lm_loss"]
    else:
        value = next(iter(scores["per_step"][metric][-1:]), None)
    return float("nan") if value is None else float(value)


def mark_if_best(checkpoints: Path, metric: str, scores: dict[str, Any], step: int, sampled: bool) -> None:
    """Remember the best step by `keep_best`, among evaluations of the same part of the test split.

    sampled: every evaluation but the last is of a part; the last one's checkpoint stays as the newest.
    """
    if not sampled or "part" in scores or read_best(checkpoints) is None:
        mark_best(checkpoints, metric + part_in_words(scores), metric_value(scores, metric), step)


def headline(scores: dict[str, Any]) -> str:
    """An evaluation in one line."""
    per_step = scores["per_step"]
    parts = [
        f"{name.removeprefix('ARC/')} {100 * value:.1f} %"
        for name, value in scores.get("scores", {}).items()
        if name in ("ARC/pass@1", "ARC/pass@2")
    ]
    if per_step["exact_accuracy"]:
        parts.append(f"exact match {100 * per_step['exact_accuracy'][-1]:.1f} %")
        parts.append(f"cell accuracy {100 * per_step['cell_accuracy'][-1]:.1f} %")
    name, share = best_baseline(scores, "cell_accuracy")
    return f"{', '.join(parts)} (without learning, {name}: cell accuracy {100 * share:.1f} %){part_in_words(scores)}"


def write_or_report(folder: Path, evaluation: EvaluationResults) -> None:
    """Write an evaluation; a disk that refuses it costs its files, not the run: the scores go into the records."""
    try:
        write_evaluation(folder, evaluation)
    except (OSError, UserError) as error:
        problem = error.given if isinstance(error, UserError) else str(error)
        report(
            f"the evaluation {folder} was not written: {problem}",
            "training goes on; its scores are in the records",
            "make room, or move away what is in its place",
        )
