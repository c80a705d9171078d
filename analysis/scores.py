"""What a run scored and what each supervision step does, as tables for the terminal and the page; and what ran.

S supervision steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.comparing.costs import device_of, on_gpu
from analysis.methods import method_name
from analysis.metrics import CELL, EXACT
from analysis.tables import Table
from trm.errors import shown
from trm.randomness import numpy_generator
from trm_lab.commands.tables import NOT_ESTIMABLE, UNKNOWN, duration, percent, percent_range, signed
from trm_lab.intervals import bootstrap_interval, wilson_interval
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.arc_outputs import OutputRecord, task_shares
from trm_lab.runs.evaluation_folder import BASELINES
from trm_lab.runs.recorded_evaluations import Evaluation, TaskScores
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import Scored

LONGEST = 400  # characters of a value
Row = Sequence[str]


def scores_table(evaluation: Evaluation, outputs: Sequence[OutputRecord]) -> Table:
    """The scores beside those that need no learning; outputs: of ARC, where they are of this evaluation."""
    baselines = evaluation.baselines
    cells = [percent(one.cell_accuracy) for one in baselines.values()]
    rows = [*_arc_rows(evaluation, outputs), *_verdict_rows(evaluation)]
    rows.append([CELL.title, percent(evaluation.cell_accuracy[-1]), UNKNOWN, *cells, UNKNOWN])
    rows += [_exact_row(evaluation), *_rows_without_training(evaluation)]
    head = ["score", "model", "95 % interval", *baselines, "best possible"]
    if all(row[-1] == UNKNOWN for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return Table("Scores", head, rows, _notes(evaluation, outputs))


def _notes(evaluation: Evaluation, outputs: Sequence[OutputRecord]) -> list[str]:
    notes = ["One evaluation, one checkpoint, one seed. Intervals: Wilson for shares of examples."]
    if evaluation.is_arc:
        over_tasks = " Of means over tasks: bootstrap over tasks." if outputs else ""
        notes = [
            f"Votes ranked by {evaluation.votes_ranked_by}. {notes[0]}{over_tasks}",
            "Examples are test inputs with their augmentations.",
        ]
    elif evaluation.scored_tasks:
        notes[0] = f"Verdicts of the dataset's own scorer. {notes[0]}"
    for overlap in evaluation.in_training:
        if overlap.is_empty:
            notes.append(f"None of the {overlap.examples:,} test questions is in training, and none of their answers.")
        elif overlap.predictions is not None:
            counts = f"{overlap.predictions:,} of the model's {overlap.examples:,} answers"
            notes.append(f"{counts}, right or wrong, are training answers.")
    if evaluation.best_exact_match is not None:
        notes.append(
            "Best possible: what to expect of the best guesser, as only one of several right answers is asked for."
        )
    return notes


def _verdict_rows(evaluation: Evaluation) -> list[list[str]]:
    """How many answers got each verdict of the datasets' scorers, "solved" first."""
    rows = []
    for task in evaluation.scored_tasks:
        for name in sorted(task.verdicts, key=lambda name: name != SOLVED):
            shares = (task.baseline_share(baseline, name) for baseline in evaluation.baselines)
            baseline_cells = (UNKNOWN if share is None else percent(share) for share in shares)
            title = _of_task(evaluation, task, name.replace("_", " "))
            rows.append([title, *counted(task.verdicts[name], task.examples), *baseline_cells, UNKNOWN])
    return rows


def _of_task(evaluation: Evaluation, task: TaskScores, name: str) -> str:
    return f"{task.dataset}: {name}" if len(evaluation.scored_tasks) > 1 else name


def _exact_row(evaluation: Evaluation) -> list[str]:
    """Exact match; augmented inputs of one ARC task are not independent, so that they have no interval."""
    share, best = evaluation.exact_accuracy[-1], evaluation.best_exact_match
    baseline_cells = (percent(one.exact_accuracy) for one in evaluation.baselines.values())
    model = counted(round(share * evaluation.examples), evaluation.examples)
    if evaluation.is_arc:
        model = percent(share), UNKNOWN
    name = f"{EXACT.title} of augmented inputs" if evaluation.is_arc else EXACT.title
    return [name, *model, *baseline_cells, UNKNOWN if best is None else percent(best)]


def _rows_without_training(evaluation: Evaluation) -> list[list[str]]:
    """What is right of the examples that do not stand in training."""
    rows = []
    for rest in (rest for overlap in evaluation.in_training for rest in overlap.not_in_training(overlap.verdict)):
        counts = [rest.baselines.get(name) for name, title in BASELINES.items() if title in evaluation.baselines]
        shares = [UNKNOWN if count is None or not rest.of else percent(count / rest.of) for count in counts]
        rows.append([rest.title, *(counted(rest.right, rest.of) if rest.of else [UNKNOWN] * 2), *shares, UNKNOWN])
    return rows


def _arc_rows(evaluation: Evaluation, outputs: Sequence[OutputRecord]) -> list[list[str]]:
    rows = []
    nothing = [UNKNOWN] * (len(evaluation.training_baselines) + 1)
    for name, score in evaluation.arc_scores.items():
        copied = evaluation.copy_arc_scores.get(name)
        baseline_cells = UNKNOWN if copied is None else percent(copied)
        rows.append([name, percent(score), _over_tasks(outputs, name), baseline_cells, *nothing])
    for attempts in (1, 2):
        key = f"outputs_correct@{attempts}"
        if key in evaluation.counts:
            model = counted(evaluation.counts[key], evaluation.counts["outputs"])
            baseline_cells = str(evaluation.copy_counts.get(key, UNKNOWN))
            rows.append([f"outputs right, {attempts} attempt{'s' * (attempts > 1)}", *model, baseline_cells, *nothing])
    return rows


def _over_tasks(outputs: Sequence[OutputRecord], name: str) -> str:
    """The bootstrap interval of pass@k over tasks, where there is something to draw from."""
    attempts = name.removeprefix("ARC/pass@")
    shares = task_shares(outputs, int(attempts)) if attempts.isdecimal() and outputs else []
    if not shares:
        return UNKNOWN
    interval = bootstrap_interval(shares, numpy_generator(0, "bootstrap over tasks", int(attempts)))
    return NOT_ESTIMABLE if interval is None else percent_range(*interval)


def counted(right: int, of: int) -> tuple[str, str]:
    """A share with its count, and its Wilson interval; a record may hold counts that are none."""
    if not (0 <= right <= of and of):
        return f"{right:,} of {of:,}", UNKNOWN
    return f"{percent(right / of)} ({right:,} of {of:,})", percent_range(*wilson_interval(right, of))


def steps_table(evaluation: Evaluation, scored: Scored | None = None) -> Table:
    """What each supervision step does."""
    steps = len(evaluation.network_calls)
    columns: dict[str, list[str]] = {
        "step": [str(step) for step in range(1, steps + 1)],
        "network calls": [f"{calls:,}" for calls in evaluation.network_calls],
        CELL.title: list(map(percent, evaluation.cell_accuracy)),
        EXACT.title: list(map(percent, evaluation.exact_accuracy)),
    }
    for task in evaluation.scored_tasks:
        columns[_of_task(evaluation, task, SOLVED)] = list(map(percent, task.solved_shares))
    if evaluation.hamming:
        columns["wrong cells"] = [f"{cells:.2f}" for cells in evaluation.hamming]
        columns["cells changed"] = [UNKNOWN, *map(percent, evaluation.changed)]
    if scored is not None:
        if scored.over_steps is not None:
            over = scored.over_steps
            columns["right for the first time"] = [f"{count:,}" for count in over.first_right[1:]]
            columns["and stays right"] = [f"{count:,}" for count in over.stayed_right[1:]]
        if scored.improvement is not None:
            columns["cross-entropy to the answer"] = [f"{after:.3g}" for after in scored.improvement.answer.after]
            columns["fell by"] = [signed(fell, ".3g") for fell in scored.improvement.answer.fell_by]
            if scored.improvement.target is not None:
                columns["towards its target"] = [signed(fell, ".3g") for fell in scored.improvement.target.fell_by]
        if scored.margin is not None:
            columns["advantage margin"] = [signed(mean, ".3g") for mean in scored.margin.mean]
            columns["margin > 0"] = list(map(percent, scored.margin.share_positive))
        columns |= {name: list(map(percent, shares)) for name, shares in scored.arc_per_step.items()}
    columns = {name: cells for name, cells in columns.items() if len(cells) == steps}
    return Table("Each supervision step", list(columns), list(zip(*columns.values(), strict=True)))


def run_facts(run: Run, evaluation: Evaluation, scored: Scored | None = None) -> list[Row]:
    """What ran, in a few lines of (name, value)."""
    facts = [("dataset", task.title_with_fingerprint) for task in evaluation.tasks]
    facts += [("method", method_name(run)), ("seed", str(evaluation.seed)), ("training", _training(run))]
    speed = f", {evaluation.examples_per_second:,.0f} a second" if on_gpu(device_of(run)) else ""
    part = "" if evaluation.part is None else f" ({evaluation.part.title})"
    facts.append(("evaluation", f"after update {evaluation.step:,}: {evaluation.examples:,} examples{part}{speed}"))
    calls = f"{evaluation.calls_per_answer:,} network calls, {evaluation.network_calls[0]:,} in a supervision step"
    if scored is not None and scored.cost is not None:
        cost = scored.cost
        energy = "" if cost.joules is None else f", {cost.joules:.3g} J"
        time = f", {1000 * cost.seconds:.3g} ms on {cost.ranks} × {cost.device}" if on_gpu(cost.device) else ""
        calls += f"; {cost.operations / 1e9:.3g} GFLOP{time}{energy}"
    facts.append(("an answer takes", calls))
    if scored is not None and scored.over_steps is not None:
        over = scored.over_steps
        facts.append(("over the steps", f"{over.fixed_late:,} fixed late, {over.broken_late:,} broken late"))
    return [(name, shown(value, LONGEST)) for name, value in facts]


def comparison(runs: Sequence[Run]) -> Table:
    """The scores of the runs' evaluations, one column for each run; – for what a run has not recorded."""
    columns = [_column(run) for run in runs]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [[name, *(column.get(name, UNKNOWN) for column in columns)] for name in names]
    return Table("Runs", ["", *(run.name for run in runs)], rows)


def _column(run: Run) -> dict[str, str]:
    last = run.evaluation
    seconds = run.training.seconds[run.training.step <= last.step].sum()
    times = {"training time": duration(seconds), "answers a second": f"{last.examples_per_second:,.0f}"}
    facts = {
        "method": method_name(run),
        "seed": str(last.seed),
        "training steps": f"{last.step:,}",
        "network calls per answer": f"{last.calls_per_answer:,}",
        **(times if on_gpu(device_of(run)) else {}),
        "test examples": f"{last.examples:,}",
        **({"votes ranked by": last.votes_ranked_by} if last.is_arc else {}),
    }
    scores = scores_table(last, run.outputs)
    names = [name for name in scores.header[3:] if name in last.baselines]
    for name, model, interval, *others in scores.rows:
        facts[name] = model if interval == UNKNOWN else f"{model} {interval}".removesuffix(" %")
        for baseline, share in zip(names, others, strict=False):
            if share != UNKNOWN:
                facts[f"{name}, {baseline}"] = share
    return facts


def _training(run: Run) -> str:
    training = run.training
    if not len(training.step):
        return "no training record"
    device = device_of(run)
    length = f"{training.step[-1]:,} updates in {duration(float(training.seconds.sum()))} on {device}"
    timed = ~np.isnan(training.examples_per_second)
    if not on_gpu(device):
        return f"{length} (not a measurement: the machine may have been shared)"
    if not timed.any():
        return length
    speed = np.average(training.examples_per_second[timed], weights=training.seconds[timed])
    return f"{length}, {speed:,.0f} examples a second"


def pairs_table(title: str, values: Mapping[str, Any]) -> Table:
    """Keys and values as they were recorded."""
    rows = [(shown(key, 100), shown(_written(value), LONGEST)) for key, value in values.items()]
    return Table(title, ["key", "value"], rows)


def _written(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else UNKNOWN if value is None else str(value)
