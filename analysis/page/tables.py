"""The tables of a page: what ran, what it scored, what each supervision step does. Cells are texts, not yet HTML.

S supervision steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.heat import signed
from analysis.methods import flat
from analysis.tables import Table
from trm.errors import shown
from trm.randomness import numpy_generator
from trm_lab.commands.tables import NOT_ESTIMABLE, UNKNOWN, duration, percent, percent_range
from trm_lab.intervals import bootstrap_interval, wilson_interval
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.arc_outputs import OutputRecord, task_shares
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import Scored

LONGEST = 400  # characters of a value
Row = Sequence[str]


def scores_table(evaluation: Evaluation, outputs: Sequence[OutputRecord]) -> Table:
    """The scores beside those that need no learning; outputs: of ARC, where they are of this evaluation."""
    rows = [*_arc_rows(evaluation, outputs), *_verdict_rows(evaluation)]
    free = evaluation.baselines
    beside = [percent(one.cell_accuracy) for one in free.values()]
    cells = ("cells right", percent(evaluation.cell_accuracy[-1]), UNKNOWN, *beside, UNKNOWN)
    rows += [cells, _exact_row(evaluation)]
    head = ["score", "model", "95 % interval", *free, "best possible"]
    if all(row[-1] == UNKNOWN for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return Table("Scores", head, rows)


def steps_table(evaluation: Evaluation, scored: Scored | None) -> Table:
    """What each supervision step does."""
    steps = len(evaluation.network_calls)
    columns = [
        ("step", [str(step) for step in range(1, steps + 1)]),
        ("network calls", [f"{calls:,}" for calls in evaluation.network_calls]),
        ("cells right", list(map(percent, evaluation.cell_accuracy))),
        ("whole examples right", list(map(percent, evaluation.exact_accuracy))),
    ]
    for task in evaluation.scored_tasks:
        name = SOLVED if len(evaluation.scored_tasks) == 1 else f"{SOLVED}, {task.dataset}"
        columns.append((name, list(map(percent, task.solved_shares))))
    if evaluation.hamming:
        columns.append(("wrong cells", [f"{cells:.2f}" for cells in evaluation.hamming]))
        columns.append(("cells changed", [UNKNOWN, *map(percent, evaluation.changed)]))
    if scored is not None and scored.over_steps is not None:
        over = scored.over_steps
        columns.append(("right for the first time", [f"{count:,}" for count in over.first_right[1:]]))
        columns.append(("and stays right", [f"{count:,}" for count in over.stayed_right[1:]]))
    if scored is not None and scored.margin is not None:
        columns.append(("advantage margin", [signed(mean, ".3g") for mean in scored.margin.mean]))
        columns.append(("margin > 0", list(map(percent, scored.margin.share_positive))))
    by_step = {} if scored is None else scored.arc_per_step
    columns += [(name, list(map(percent, shares))) for name, shares in by_step.items()]
    whole = [(name, cells) for name, cells in columns if len(cells) == steps]
    return Table(
        "Each supervision step",
        [name for name, _ in whole],
        list(zip(*(cells for _, cells in whole), strict=True)),
    )


def run_facts(run: Run, evaluation: Evaluation, scored: Scored | None) -> list[Row]:
    """What ran, in a few lines."""
    training = run.training
    facts = [("dataset", task.title_with_fingerprint) for task in evaluation.tasks]
    if len(training.step):
        seconds = float(training.seconds.sum())
        facts.append(("training", f"{training.step[-1]:,} updates in {duration(seconds)}"))
    else:
        facts.append(("training", "no record"))
    facts.append(("evaluation", f"after update {evaluation.step:,}, {evaluation.examples:,} test examples"))
    calls = f"{evaluation.calls_per_answer:,} network calls, {evaluation.network_calls[0]:,} in a supervision step"
    facts.append(("an answer takes", calls))
    if scored is not None and scored.cost is not None:
        cost = scored.cost
        work = f"{cost.operations / 1e9:.3g} GFLOP"
        energy = "" if cost.joules is None else f", {cost.joules:.3g} J"
        where = f"{cost.ranks} × {cost.device}"
        facts.append(("and", f"{work}, {1000 * cost.seconds:.3g} ms on {where}{energy}"))
    if scored is not None and scored.over_steps is not None:
        over = scored.over_steps
        facts.append(("over the steps", f"{over.fixed_late:,} fixed late, {over.broken_late:,} broken late"))
    return [(name, shown(value, LONGEST)) for name, value in facts]


def configuration(run: Run) -> Table:
    """Every key."""
    return _pairs("Configuration", flat(run.config))


def provenance(run: Run) -> Table:
    """Where the run comes from: of several launches the last, and how many there were."""
    launches = run.provenance.get("launches")
    if not isinstance(launches, list) or not launches or not isinstance(launches[-1], Mapping):
        return _pairs("Provenance", flat(run.provenance))
    last = dict(launches[-1])
    if isinstance(last.get("command"), list):
        last["command"] = " ".join(map(str, last["command"]))
    return _pairs("Provenance", {"launches": len(launches), **flat(last)})


def _pairs(name: str, values: Mapping[str, Any]) -> Table:
    rows = [(shown(key, 100), shown(_said(value), LONGEST)) for key, value in values.items()]
    return Table(name, ["key", "value"], rows)


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else UNKNOWN if value is None else str(value)


def _verdict_rows(evaluation: Evaluation) -> list[Row]:
    rows: list[Row] = []
    for task in evaluation.scored_tasks:
        prefix = f"{task.dataset}: " if len(evaluation.scored_tasks) > 1 else ""
        for name in sorted(task.verdicts, key=lambda name: name != SOLVED):
            count = task.verdicts[name]
            shares = (task.baseline_share(baseline, name) for baseline in evaluation.baselines)
            beside = (UNKNOWN if share is None else percent(share) for share in shares)
            rows.append((prefix + name.replace("_", " "), *_counted(count, task.examples), *beside, UNKNOWN))
    return rows


def _exact_row(evaluation: Evaluation) -> Row:
    """Of whole examples; augmented inputs of one ARC task are not independent, so that they have no interval."""
    share, best = evaluation.exact_accuracy[-1], evaluation.best_exact_match
    name = "augmented inputs right" if evaluation.is_arc else "whole examples right"
    right = round(share * evaluation.examples)
    model = (percent(share), UNKNOWN) if evaluation.is_arc else _counted(right, evaluation.examples)
    beside = (percent(one.exact_accuracy) for one in evaluation.baselines.values())
    return (name, *model, *beside, UNKNOWN if best is None else percent(best))


def _arc_rows(evaluation: Evaluation, outputs: Sequence[OutputRecord]) -> list[Row]:
    rows: list[Row] = []
    no_baselines = [UNKNOWN] * (len(evaluation.training_baselines) + 1)
    for name, score in evaluation.arc_scores.items():
        copied = evaluation.copy_arc_scores.get(name)
        interval = _over_tasks(outputs, name)
        rows.append(
            (name, percent(score), interval, UNKNOWN if copied is None else percent(copied), *no_baselines)
        )
    for attempts in (1, 2):
        key = f"outputs_correct@{attempts}"
        if key in evaluation.counts:
            copied = evaluation.copy_counts.get(key)
            model = _counted(evaluation.counts[key], evaluation.counts["outputs"])
            name = f"outputs right, {attempts} attempt{'s' * (attempts > 1)}"
            rows.append((name, *model, UNKNOWN if copied is None else str(copied), *no_baselines))
    return rows


def _over_tasks(outputs: Sequence[OutputRecord], name: str) -> str:
    """The bootstrap interval of pass@k over tasks, where there is something to draw from."""
    attempts = name.removeprefix("ARC/pass@")
    if not attempts.isdecimal() or not outputs:
        return UNKNOWN
    shares = task_shares(outputs, int(attempts))
    rng = numpy_generator(0, "bootstrap over tasks", int(attempts))
    if not shares:
        return UNKNOWN
    found = bootstrap_interval(shares, rng)
    return NOT_ESTIMABLE if found is None else percent_range(*found)


def _counted(right: int, of: int) -> tuple[str, str]:
    if not (0 <= right <= of and of):
        return f"{right:,} of {of:,}", UNKNOWN
    return f"{percent(right / of)} ({right:,} of {of:,})", percent_range(*wilson_interval(right, of))
