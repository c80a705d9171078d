"""The setting of each rule of stopping early: chosen on held-out questions where evaluate.py has answered them.

As `evaluate.py --choose-on` chooses it (`trm_lab/evaluation/halting_choice.py`), by means over a method's seeds.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

from analysis.comparing.scored_runs import Probed
from analysis.methods import Method
from trm_lab.evaluation.halting_choice import cheapest, held_out_points
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import HaltingPoint, Scored
from trm_lab.runs.rollout_store import RolloutStore

Points = list[HaltingPoint]


def chosen_points(method: Method, scored: Sequence[Scored]) -> tuple[Points, bool]:
    """The test split's point of each rule's chosen setting, means over seeds; whether held-out questions chose it.

    scored: evaluations of the method's runs by seed. Without held-out questions the test questions choose.

    Raises:
        UserError: stored answers are damaged.
    """
    tested = averaged([one.halting for one in scored if one.halting])
    held_out = [_held_out(run, one) for one in scored for run in method.runs if one in run.scored]
    by_seed = [points for points in held_out if points]
    on_held_out = bool(by_seed) and len(by_seed) == len(scored)
    settings = {(rule, point.setting) for rule, point in cheapest(averaged(by_seed) if on_held_out else tested).items()}
    return [point for point in tested if (point.policy, point.setting) in settings], on_held_out


def averaged(by_seed: Sequence[Sequence[HaltingPoint]]) -> Points:
    """The settings that all seeds have, with means over the seeds."""
    tables = [{(point.policy, point.setting): point for point in points} for points in by_seed]
    shared = [at for at in tables[0] if all(at in table for table in tables)] if tables else []
    return [
        HaltingPoint(
            *at,
            fmean(table[at].exact_accuracy for table in tables),
            fmean(table[at].cell_accuracy for table in tables),
            fmean(table[at].network_calls for table in tables),
            fmean(table[at].steps for table in tables),
        )
        for at in shared
    ]


def without_held_out(probes: Sequence[Probed]) -> list[str]:
    """A line that says of how many methods the test questions choose the settings, and how others can."""
    lacking = [method for method, scored in probes if not chosen_points(method, scored)[1]]
    if not lacking:
        return []
    return [
        f"stopping early: the test questions themselves choose the settings of {len(lacking)} of {len(probes)} methods,"
        " so they look better than they are; to let held-out questions choose: "
        f"python evaluate.py {lacking[0].runs[0].in_command} --data-path HELD-OUT"
    ]


def _held_out(run: Run, tested: Scored) -> Points:
    """Halting points of an evaluation of other questions by the same checkpoint; none where there is none."""
    for one in run.scored:
        same = (one.evaluation.step, one.supervision_steps, one.confidence_kind, one.search) == (
            (tested.evaluation.step, tested.supervision_steps, tested.confidence_kind, tested.search)
        )
        if not (one.other_data and one.is_of_usual_model and same and one.halting and one.confidence_kind):
            continue
        if points := _points(one.folder, tested.folder, one.confidence_kind):
            return points
    return []


@cache
def _points(held_out: Path, tested: Path, confidence_kind: str) -> Points:
    try:
        stores = RolloutStore.open(held_out), RolloutStore.open(tested)
    except FileNotFoundError:  # scores alone were copied
        return []
    return held_out_points(*stores, confidence_kind)[0]
