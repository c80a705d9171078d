"""Scores by category as text, each share with its 95 % interval."""

from collections.abc import Mapping
from typing import Any

from trm_lab.commands.tables import counted, percent, table


def categories_table(scores: Mapping[str, Any]) -> str:
    """The scores of each dataset's categories; scores: the content of scores.json."""
    return "\n".join(_table(task) for task in scores["tasks"] if "categories" in task)


def _table(task: Mapping[str, Any]) -> str:
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
    note = "shares with Wilson's 95 % intervals, each of its category by itself"
    return f"{task['dataset']} by {categories['by']} ({note})\n{table([header, *rows], '  ')}"
