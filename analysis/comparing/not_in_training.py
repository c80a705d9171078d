"""How much of the test split stands in training, and what the methods score without it."""

from collections.abc import Sequence
from statistics import fmean

from analysis.methods import Method
from analysis.metrics import Metric
from trm_lab.commands.tables import UNKNOWN, percent
from trm_lab.runs.in_training_scores import InTraining, NotInTraining

VERDICT = {"solved": "solved", "exact": "exact", "ARC/pass@2": "outputs_correct@2"}  # of a metric


def not_in_training(methods: Sequence[Method], metric: Metric) -> str:
    """A line of what stands in training, and one for each part of the test split without it; "" if no run tells.

    Shares are means over seeds; a method with a run that does not tell, or of other test questions, has –.
    """
    by_method = [[evaluation.in_training for evaluation in method.evaluations] for method in methods]
    first = next((overlaps for of_method in by_method for overlaps in of_method if overlaps), [])
    lines = []
    for place, overlap in enumerate(first):
        lines.append(
            f"in training: of {overlap.examples:,} test questions {overlap.questions:,},"
            f" of their answers {overlap.answers:,}"
        )
        verdict = VERDICT.get(metric.name, "")
        for rest in overlap.not_in_training(verdict) if verdict in overlap.without_questions else ():
            shares = [_share([_same(rest, each, place, verdict) for each in of_method]) for of_method in by_method]
            named = (f"{method.name} {share}" for method, share in zip(methods, shares, strict=True))
            lines.append(f"  {rest.title}: {', '.join(named)}")
    return "\n".join(lines)


def _same(part: NotInTraining, overlaps: Sequence[InTraining], place: int, verdict: str) -> NotInTraining | None:
    """The same part of the test split in another run; None where its test split has none of that size."""
    parts = overlaps[place].not_in_training(verdict) if place < len(overlaps) else ()
    return next((rest for rest in parts if rest.title == part.title), None)


def _share(of_seeds: Sequence[NotInTraining | None]) -> str:
    shares = [rest.right / rest.of for rest in of_seeds if rest is not None and rest.of]
    return percent(fmean(shares)) if shares and len(shares) == len(of_seeds) else UNKNOWN
