"""How much of a test split stands in training and what is right without it, read from a record and checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trm_lab.runs.recorded_files import read_as, unreadable

VERDICTS = {  # what counts, first of all: as scores.json and as a table names it
    "outputs_correct@2": "outputs right, 2 attempts",
    "solved": "solved",
    "exact": "exact match",
}


@dataclass(frozen=True)
class NotInTraining:
    """What is right of the examples whose question, or whose answer, is not in training.

    title: in words.  right, of: answers of the model.  baselines: right answers that need no learning, by their names
    in scores.json.
    """

    title: str
    right: int
    of: int
    baselines: dict[str, int]


@dataclass(frozen=True)
class InTraining:
    """How many of a dataset's test examples (of ARC: test outputs) stand in training; "in_training" of scores.json.

    questions, answers: that stand there.  without_questions, without_answers: how many of the others get each verdict.
    baselines: the same of answers that need no learning.  compared: in words, how they were looked for.
    predictions: answers of the model that are, right or wrong, some training answer; None for ARC.
    """

    examples: int
    questions: int
    answers: int
    without_questions: dict[str, int]
    without_answers: dict[str, int]
    baselines: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    compared: str = ""
    predictions: int | None = None

    def __post_init__(self) -> None:
        counts = [self.without_questions, self.without_answers]
        for each in self.baselines.values():
            counts += [each.get("without_questions", {}), each.get("without_answers", {})]
        if not set(VERDICTS) & set(counts[0]) or any(set(each) != set(counts[0]) for each in counts):
            raise unreadable("in_training that does not say what is right of the other examples")
        if not all(0 <= count <= self.examples for count in (self.questions, self.answers)):
            raise unreadable("in_training with more questions or answers than there are examples")

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the test split is in training, so that scores without it are the scores."""
        return not self.questions + self.answers

    @property
    def verdict(self) -> str:
        """What counts, of `VERDICTS`."""
        return next(name for name in VERDICTS if name in self.without_questions)

    def not_in_training(self, verdict: str) -> Iterator[NotInTraining]:
        """Without the questions, and without the answers that are in training; nothing where none is."""
        for what, stand in (("question", self.questions), ("answer", self.answers)) if not self.is_empty else ():
            name, of = f"without_{what}s", self.examples - stand
            title = f"{VERDICTS[verdict]}, the {of:,} of {self.examples:,} whose {what} is not in training"
            baselines = {one: counts[name][verdict] for one, counts in self.baselines.items()}
            yield NotInTraining(title, getattr(self, name)[verdict], of, baselines)


def read_in_training(scores: Mapping[str, Any]) -> list[InTraining]:
    """Of the contents of a scores.json: of ARC's test outputs, and of each dataset that they are known of.

    Where no answer is known, nothing is said.
    """
    parts = [part["in_training"] for part in (scores, *scores.get("tasks", [])) if "in_training" in part]
    return [overlap for part in parts if (overlap := read_as(InTraining, part, "scores.json")).examples]
