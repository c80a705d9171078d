"""An evaluation as text: its scores beside those of answers that need no learning, then each step, or each category."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trm_lab.commands.tables import counted, percent, table
from trm_lab.evaluation.shown_steps import curve_summary, shown_steps
from trm_lab.puzzles.selection import Part
from trm_lab.runs.evaluation_folder import BASELINES, COPY
from trm_lab.runs.in_training_scores import read_in_training

NOT_KNOWN = "–"
Row = Sequence[str]


def scores_table(scores: Mapping[str, Any]) -> str:
    """scores: the content of scores.json."""
    baselines: dict[str, Any] = {COPY: scores["copy"], **scores.get("baselines", {})}
    examples = f"{scores['examples']} examples{_of_datasets(scores)}{part_in_words(scores)}"
    parts = [
        f"step {scores['step']}, {examples}",
        table(_filled([("", "model", *BASELINES.values()), *_score_rows(scores, baselines)]), "  "),
        *_remarks(scores, baselines),
        table([*_step_rows(scores["per_step"])], "  "),
        *(f"  {line}" for line in curve_summary(scores["per_step"])),
    ]
    return "\n".join(parts)


def categories_table(scores: Mapping[str, Any]) -> str:
    """Each dataset's scores by category, each share with its 95 % interval; scores: the content of scores.json."""
    return "\n".join(_category_table(task) for task in scores["tasks"] if "categories" in task)


def part_in_words(scores: Mapping[str, Any]) -> str:
    """What part of the test split an evaluation is of; "" for all of it."""
    return f" (a part of the test split: {Part(**scores['part']).title})" if "part" in scores else ""


def _of_datasets(scores: Mapping[str, Any]) -> str:
    """The datasets that bring a scorer, each with what decides its verdicts."""
    tasks = [task for task in scores.get("tasks", []) if task["scorer"]]
    named = (f"{task['dataset']} (version {task['version']}, protocol {task['protocol']})" for task in tasks)
    return f" of {', '.join(named)}" if tasks else ""


def _filled(rows: Sequence[Row]) -> list[Row]:
    """The rows without the columns that have a heading and no value."""
    columns = [column for column in zip(*rows, strict=True) if set(column[1:]) != {NOT_KNOWN}]
    return list(zip(*columns, strict=True))


def _category_table(task: Mapping[str, Any]) -> str:
    categories = task["categories"]
    solved = categories["solved"]
    header = (categories["by"], "examples", *(["solved"] if solved else []), "exact match", "cell accuracy")
    rows = [
        (
            name,
            f"{examples:,}",
            *([counted(solved[place], examples)] if solved else []),
            counted(categories["exact"][place], examples),
            percent(categories["cell_accuracy"][place]),
        )
        for place, (name, examples) in enumerate(zip(categories["names"], categories["examples"], strict=True))
    ]
    note = "shares with Wilson's 95 % intervals, each category on its own"
    return f"{task['dataset']} by {categories['by']} ({note})\n{table([header, *rows], '  ')}"


def _score_rows(scores: Mapping[str, Any], baselines: Mapping[str, Any]) -> Iterator[Row]:
    copied, nothing = scores["copy"], [NOT_KNOWN] * (len(BASELINES) - 1)
    for name, value in scores.get("scores", {}).items():
        yield (name, percent(value), percent(copied["scores"][name]), *nothing)
    for k in (1, 2) if scores.get("counts", {}).get("outputs") else ():
        counts = (
            counted(part["counts"][f"outputs_correct@{k}"], part["counts"]["outputs"]) for part in (scores, copied)
        )
        yield (f"outputs right, {k} attempt{'s' * (k > 1)}", *counts, *nothing)
    yield from _task_rows(scores.get("tasks", []))
    for name, key in (("cell accuracy", "cell_accuracy"), ("exact match", "exact_accuracy")):
        beside = (baselines.get(baseline, {}).get(key) for baseline in BASELINES)
        yield (name, percent(scores["per_step"][key][-1]), *map(_share, beside))
    yield from _rows_without_training(scores)


def _rows_without_training(scores: Mapping[str, Any]) -> Iterator[Row]:
    for known in read_in_training(scores):
        for rest in known.not_in_training(known.verdict):
            shares = (
                rest.baselines[name] / rest.of if rest.of and name in rest.baselines else None for name in BASELINES
            )
            yield (rest.title, counted(rest.right, rest.of) if rest.of else NOT_KNOWN, *map(_share, shares))


def _task_rows(tasks: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Rows of each dataset's own scorer."""
    scored = [task for task in tasks if task["scorer"]]
    for task in scored:
        prefix = f"{task['dataset']}: " if len(scored) > 1 else ""
        counts = [task.get("baselines", {}).get(baseline, {}) for baseline in BASELINES]
        for name, count in task["verdicts"].items():
            beside = (None if name not in verdicts else verdicts[name] / task["examples"] for verdicts in counts)
            yield (f"{prefix}{name}", counted(count, task["examples"]), *map(_share, beside))


def _step_rows(per_step: Mapping[str, Any]) -> Iterator[Row]:
    yield ("", "cell accuracy", "exact match")
    for step in shown_steps(per_step):
        calls = f"supervision step {step} ({per_step['network_calls'][step - 1]} network calls)"
        yield (calls, *(percent(per_step[key][step - 1]) for key in ("cell_accuracy", "exact_accuracy")))


def _remarks(scores: Mapping[str, Any], baselines: Mapping[str, Any]) -> Iterator[str]:
    if "votes_ranked_by" in scores:
        yield f"votes ranked by {scores['votes_ranked_by']}"
    for task in scores.get("tasks", []):
        if "best_exact_match" in task["facts"]:
            best = percent(task["facts"]["best_exact_match"])
            yield f"{task['dataset']}: exact match {best} at best: of several right answers only the label counts"
    for known in read_in_training(scores):
        if known.is_empty:
            yield f"none of the {known.examples:,} test questions is in training, and none of their answers"
    if "unknown" in baselines:
        yield f"the training set's most common answer and tokens are not known: {baselines['unknown']}"
    elif baselines.get("training_examples", 0) < baselines.get("of", 0):
        counts = f"{baselines['training_examples']:,} of {baselines['of']:,}"
        yield f"most common answer and tokens of {counts} training examples, evenly spread"


def _share(value: float | None) -> str:
    return NOT_KNOWN if value is None else percent(value)
