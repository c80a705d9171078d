"""Scores of a method's runs on each test question, from the folders of their evaluations. n seeds, Q questions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np

from analysis.comparing.scored_runs import in_training, plain_scored
from analysis.comparing.significance import Scores
from analysis.methods import Method, own_step
from analysis.metrics import Metric
from trm.errors import UserError
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.scored_items import METRICS, ScoredItems, has_items, read_items

QUESTION_METRICS = {"exact": METRICS["right"], "solved": METRICS["solved"], "ARC/pass@2": METRICS["task"]}
"""The scores of each question whose mean is a metric, by the metric's name."""


def items_of(method: Method, metric: Metric, unseen: bool = False) -> list[ScoredItems]:
    """Scores of each run of a method, at the step at which it is compared; empty where they are not at hand.

    unseen: without the questions that stand in training.

    Raises:
        UserError: a damaged file; or, with `unseen`, a run that does not say which questions stand in training.
    """
    items = items_in([_folder(run, method.step) for run in method.runs], metric)
    if unseen:
        flagged_items = [one for one in items if one.in_training is not None]
        if len(flagged_items) < len(method.runs):
            raise UserError(
                f"{method.name}: not every run says of each question whether it stands in training",
                "evaluations of puzzles with question_in_training in their examples.npz",
                f"score every run again: python evaluate.py {method.runs[0].in_command}",
            )
        return [_without(one, one.in_training or frozenset()) for one in flagged_items]
    return items


def items_in(folders: Sequence[Path | None], metric: Metric) -> list[ScoredItems]:
    """Scores of each evaluation's folder; empty where one of them has none of this metric.

    Raises:
        UserError: a damaged file.
    """
    items = [read_items(one, exact=metric.name == "exact") for one in folders if one is not None and has_items(one)]
    fit = len(items) == len(folders) and all(one.metric == QUESTION_METRICS.get(metric.name) for one in items)
    return items if fit else []


def _without(items: ScoredItems, keys: frozenset[str]) -> ScoredItems:
    return replace(items, scores={key: score for key, score in items.scores.items() if key not in keys})


def _folder(run: Run, step: int) -> Path | None:
    """Of the evaluation in training, whose score tables show, else of one by evaluate.py as training does it."""
    if has_items(folder := in_training(run, step)):
        return folder
    scored = plain_scored(run, step, lambda one: has_items(one.folder))
    return scored.folder if scored else None


def aligned(items: Sequence[Sequence[ScoredItems]]) -> list[Scores]:
    """`[n, Q]` of each method, on the questions that all runs answered; empty where a method has none, or Q < 2.

    A number that stands for different questions in two runs makes them runs on other questions.
    """
    runs = [one for of_method in items for one in of_method]
    shared = sorted(set.intersection(*(set(one.scores) for one in runs))) if all(items) else []
    digests = [[one.questions[key] for key in shared] for one in runs if one.questions is not None]
    if len(shared) < 2 or any(one != digests[0] for one in digests):
        return []
    return [np.array([[one.scores[key] for key in shared] for one in of_method]) for of_method in items]


def held_out(methods: Sequence[Method], metric: Metric) -> list[float]:
    """Each method's mean over seeds on questions that are not the test's; empty where not all have the same.

    Of several such sets it is the first by fingerprint. Questions that stand in the test split, too, are left out.

    Raises:
        UserError: a damaged file.
    """
    tested = [one for method in methods for one in items_of(method, metric)]
    asked = frozenset(digest for one in tested for digest in (one.questions or {}).values())
    by_data = [[_held_out_means(run, method.step, metric, asked) for run in method.runs] for method in methods]
    shared = set.intersection(*(set(one) for of_method in by_data for one in of_method))
    return [fmean(one[min(shared)] for one in of_method) for of_method in by_data] if shared else []


def _held_out_means(run: Run, step: int, metric: Metric, asked: frozenset[int]) -> dict[str, float]:
    """Means on all questions of other data that were not asked, of answers as in training, by fingerprint and split."""
    means: dict[str, float] = {}
    compared = own_step(run, step)
    for one in run.scored:
        as_trained = one.supervision_steps is None and one.search is None and one.is_of_usual_model
        if not (one.other_data and as_trained and one.is_of_all_questions and one.evaluation.step == compared):
            continue
        items = read_items(one.folder, exact=metric.name == "exact") if has_items(one.folder) else None
        if items is not None and items.metric == QUESTION_METRICS.get(metric.name):
            digests = items.questions or {}
            scores = [score for key, score in items.scores.items() if digests.get(key) not in asked]
            data = str([(data.fingerprint, data.split) for data in one.evaluation.datasets or []])
            means |= {data: fmean(scores)} if scores else {}
    return means
