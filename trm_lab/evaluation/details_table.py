"""The details of an evaluation as text: steps, halting, guidance, cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trm_lab.commands.tables import counted, percent, signed, table
from trm_lab.evaluation.halting_choice import cheapest
from trm_lab.evaluation.shown_steps import is_whole, shown_steps
from trm_lab.runs.in_training_scores import read_in_training
from trm_lab.runs.recorded_scores import HaltingPoint

POLICIES = {  # what each is called, in the order in which they are shown
    "q_halt": "halting logit above",
    "agreement": "prediction unchanged for",
    "confidence": "confidence at least",
}


def details_table(scores: Mapping[str, Any]) -> str:
    """The parts of scores.json that `Rules.details` adds; "" where there are none."""
    parts = [part for part in _parts(scores) if part]
    return "\n".join(parts)


def _parts(scores: Mapping[str, Any]) -> Iterator[str]:
    yield _steps(scores)
    yield _improvement(scores)
    yield _recalled(scores)
    yield _halting(scores)
    yield _search(scores)
    yield _guidance(scores)
    yield _cost(scores)


def _steps(scores: Mapping[str, Any]) -> str:
    """Distance to the answer and votes, step by step."""
    per_step, over = scores["per_step"], scores.get("over_steps")
    columns = [("network calls", list(map(str, per_step["network_calls"])))]
    columns.append(("wrong cells", [f"{value:.2f}" for value in per_step["hamming"]]))
    columns.append(("cells changed", ["", *map(percent, per_step["changed"])]))
    if over is not None and is_whole(per_step):  # counts of single steps
        columns.append(("right for the first time", [str(n) for n in over["first_right"][1:]]))
        columns.append(("and stays", [str(n) for n in over["stayed_right"][1:]]))
    for name in ("ARC/pass@1", "ARC/pass@2"):
        if name in scores.get("arc_per_step", {}):
            columns.append((name, list(map(percent, scores["arc_per_step"][name]))))
    late = "" if over is None else f"\n  fixed late: {over['fixed_late']}; broken late: {over['broken_late']}"
    title = "each supervision step" if is_whole(per_step) else "the supervision steps shown above"
    return f"{title}, means over examples\n{_columns(columns, per_step)}{late}"


def _improvement(scores: Mapping[str, Any]) -> str:
    """What each step does to the cross-entropy, and the margin, which bounds that."""
    if "improvement" not in scores:
        return ""
    improvement, margin = scores["improvement"], scores["margin"]
    own_targets = improvement.get("target") not in (None, improvement["answer"])
    per_step = scores["per_step"]
    calls = ("network calls", list(map(str, per_step["network_calls"])))
    of_margin = ("advantage margin", [signed(value, ".3g") for value in margin["mean"]])
    positive = ("margin > 0", list(map(percent, margin["share_positive"])))
    parts = [
        "does a step improve the answer? softmax cross-entropy over tokens with a label, means over examples",
        _columns([calls, *_changes(improvement["answer"], "to the answer"), of_margin, positive], per_step),
    ]
    if own_targets:
        parts += [
            "and towards the step's own target",
            _columns([calls, *_changes(improvement["target"], "to its target")], per_step),
        ]
    if "trained_answer" in improvement:
        trained = [*_changes(improvement["trained_answer"], "to the answer")]
        trained += _changes(improvement["trained_target"], "to its target") if own_targets else []
        parts += [
            f"the same in the training loss, {improvement['trained_loss']}",
            _columns([calls, *trained], per_step),
        ]
    if "target" not in improvement:
        parts.append(f"  the steps' own targets are not known here: {improvement['without_target']}")
    elif not own_targets:
        parts.append("  the target of every step is the answer")
    return "\n".join(parts)


Column = tuple[str, Sequence[str]]  # header, a cell for each step


def _columns(columns: Sequence[Column], per_step: Mapping[str, Any]) -> str:
    """The columns at the steps that are shown."""
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    return table([[name for name, _ in columns], *(rows[step - 1] for step in shown_steps(per_step))], "  ")


def _changes(improved: Mapping[str, Any], towards: str) -> Iterator[Column]:
    pairs = list(zip(improved["before"], improved["after"], strict=True))
    yield towards, [f"{before:.3g} → {after:.3g}" for before, after in pairs]
    yield "fell by", [signed(before - after, ".3g") for before, after in pairs]
    yield "examples improved", list(map(percent, improved["examples_improved"]))
    yield "cells improved", list(map(percent, improved["cells_improved"]))


def _recalled(scores: Mapping[str, Any]) -> str:
    """How many answers, right or wrong, are some training answer: what is known by heart."""
    counts = [(known.predictions, known.examples) for known in read_in_training(scores)]
    lines = [
        f"{counted(said, of)} of the model's answers, right or wrong, are training answers"
        for said, of in counts
        if said is not None and of
    ]
    return "\n".join(lines)


def _halting(scores: Mapping[str, Any]) -> str:
    """For each rule the cheapest setting that loses at most a point of exact matches."""
    if "halting" not in scores:
        return ""
    points = [HaltingPoint(**point) for point in scores["halting"]["points"]]
    choice = scores["halting"].get("chosen_on")
    settings = choice["settings"] if choice else {rule: point.setting for rule, point in cheapest(points).items()}
    chosen = [point for point in points if point.policy in settings and point.setting == settings[point.policy]]
    last = [point for point in points if point.policy == "fixed"][-1]
    rows = [("stopping", "exact match", "network calls"), ("after the last step", *_point(last))]
    rows += [(f"{POLICIES[point.policy]} {point.setting:g}".replace("-", "−"), *_point(point)) for point in chosen]
    rows.append(("at the first right step (oracle)", *_point(HaltingPoint(**scores["halting"]["best_reachable"]))))
    where = "these test questions, so it looks better than it is (see --choose-on)"
    if choice:
        where = f"{choice['examples']:,} held-out questions, {choice['folder']}"
        where += f" ({choice['left_out']:,} more are in the test split as well)" * (choice["left_out"] > 0)
    title = "stopping early: the cheapest setting of each rule that loses at most one point"
    return f"{title}, chosen on {where}\n{table(rows, '  ')}"


def _search(scores: Mapping[str, Any]) -> str:
    """Right answers after the last step, by how the rollout is chosen and by how many there are."""
    if "search" not in scores:
        return ""
    points = scores["search"]["points"]
    last = max(point["step"] for point in points)
    final = {(point["select"], point["width"]): point for point in points if point["step"] == last}
    all_widths = sorted({width for _, width in final})
    selections = list(dict.fromkeys(select for select, _ in final))
    rows = [("rollouts", "network calls", *(f"by {name}" for name in selections))]
    for width in all_widths:
        calls = next(point["network_calls"] for (_, of), point in final.items() if of == width)
        shares = (percent(final[name, width]["right"]) if (name, width) in final else "" for name in selections)
        rows.append((str(width), f"{calls:g}", *shares))
    return "right answers by the number of rollouts and the choice among them, after the last step (oracle: any)\n" + (
        table(rows, "  ")
    )


def _point(point: HaltingPoint) -> tuple[str, str]:
    return percent(point.exact_accuracy), f"{point.network_calls:.1f}"


def _guidance(scores: Mapping[str, Any]) -> str:
    """Accuracies after the last step, for each guidance scale."""
    if "guidance" not in scores:
        return ""
    rows: list[list[str]] = [["guidance w", "cell accuracy", "exact match"]]
    for w, accuracies in scores["guidance"].items():
        rows.append([w, *(percent(accuracies[name][-1]) for name in ("cell_accuracy", "exact_accuracy"))])
    if scores.get("arc_guided"):
        rows[0].append("ARC/pass@2")
        for row in rows[1:]:
            row.append(percent(scores["arc_guided"][row[0]]["ARC/pass@2"]))
    return "answers decoded from (1 − w) reference + w conditional logits, after the last step\n" + table(rows, "  ")


def _cost(scores: Mapping[str, Any]) -> str:
    if "cost" not in scores:
        return ""
    cost = scores["cost"]
    where = f"{cost['ranks']} × {cost['device']}"
    energy = f", and {cost['joules']:.3g} J" if "joules" in cost else ""
    return (
        f"an answer takes {cost['network_calls']} network calls, {cost['operations'] / 1e9:.3g} GFLOP and "
        f"{cost['seconds'] * 1e3:.3g} ms on {where}{energy} ({_warm_up(cost.get('warm_up'))})"
    )


def _warm_up(warm_up: Mapping[str, Any] | None) -> str:
    """Whether the time of an answer includes the warm-up."""
    if warm_up is None:
        return "the first batch's warm-up with it"
    steps = warm_up["supervision_steps_of_each_launch"]
    return f"without the warm-up, {steps} supervision step{'s' * (steps != 1)} of each launch"
