"""The examples that a page lets one look at: which, and as what. Bounded in number and in bytes."""

from typing import Any

import numpy as np

from analysis.choosing import KIND_WORDS, Chosen, Judge, choose, picture_for
from analysis.heat import Heat
from analysis.page.puzzle_data import drawing, example_data
from analysis.strips import CONFIDENCE_WORDS
from trm.errors import UserError, shown
from trm_lab.runs.recorded_evaluations import TaskScores
from trm_lab.runs.stored_answers import StoredAnswers

Json = dict[str, Any]
USUAL = 200  # examples
MOST_BYTES = 6_000_000  # of their tokens and margins
SHARE_OF_KIND = 8  # of the examples, one in so many is taken of each kind first


def browser_data(source: StoredAnswers, most: int) -> tuple[Json | None, list[str]]:
    """The examples for the page's browser, at most `most` over all datasets, and what could not be shown and why.

    None where there is nothing to show.
    """
    sets, remarks = [], []
    datasets = [None] if source.evaluation.is_arc or not source.tasks else source.tasks
    share = max(1, most // len(datasets))
    for task in datasets:
        try:
            sets.append(_set_data(source, task, share))
        except UserError as error:
            name = "examples" if task is None else task.dataset
            remarks.append(f"{shown(name)} cannot be looked at: {shown(error.given)}")
    if not sets:
        return None, remarks
    return {
        "source": source.source,
        "calls": source.evaluation.network_calls,
        "confidence": CONFIDENCE_WORDS[source.confidence_kind],
        "kinds": KIND_WORDS,
        "sets": sets,
    }, remarks


def _set_data(source: StoredAnswers, task: TaskScores | None, most: int) -> Json:
    many = source.all_kept and task is not None and task.examples > most
    of_each_kind = most // SHARE_OF_KIND if many else 0
    chosen = choose(source, most, dataset=None if task is None else task.dataset, of_each_kind=of_each_kind)
    margin = chosen.answered.margin
    heat = None if margin is None else Heat.over(margin)
    picture = picture_for(source, chosen.task)
    rows = list(range(len(chosen.answered)))
    fit = _fitting(chosen)
    return {
        "title": chosen.task.title if chosen.task is not None else "",
        "signs": picture.signs,
        "by_scorer": Judge(chosen.task).by_scorer,
        "all_kept": source.all_kept,
        "counts": chosen.counts,
        "rule": chosen.rule if fit == len(rows) else f"{chosen.rule} Of these the first {fit}, for the page's size.",
        "limit": None if heat is None else heat.limit,
        "drawing": drawing(picture),
        "examples": [example_data(chosen, row, heat) for row in rows[:fit]],
    }


def _fitting(chosen: Chosen) -> int:
    """How many of the examples stay within `MOST_BYTES`."""
    steps_and_tokens = int(np.prod(chosen.answered.preds.shape[1:]))
    with_margin = 2 if chosen.answered.margin is not None else 1
    return min(len(chosen.answered), max(1, MOST_BYTES // (with_margin * steps_and_tokens)))
