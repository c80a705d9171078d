"""Questions drawn from a task of reasoning-gym: all different, of limited length, each with a verified answer."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from trm.errors import UserError
from trm_lab.puzzles.reasoning_gym.process import CHUNK, Answer, Entry, ReasoningGym, place

GIVE_UP = 1000  # entries in a row without a new question
_AT_ONCE = 20  # entries asked for together; divides CHUNK
_PROBE = 50  # entries made a second time
NONSENSE = "?"


@dataclass(frozen=True)
class Limits:
    """Most characters of a question and of an answer."""

    question: int
    answer: int


@dataclass
class Drawn:
    """Questions and answers of one split.

    places: the library's seed and index of each.
    scanned: entries looked at, from the split's first on.
    left_out: how many of these, by reason.
    """

    questions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    scanned: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


class QuestionSource:
    """A task's entries in order, for splits that have no question in common."""

    def __init__(self, gym: ReasoningGym, seed: int, limits: Limits) -> None:
        self._gym, self._seed, self._limits = gym, seed, limits
        self._taken: set[str] = set()

    def draw(self, split: str, drawn: Drawn) -> Iterator[None]:
        """Add a question and its answer to `drawn` at each step.

        Raises:
            UserError: the task seems to have no more questions that can be used.
        """
        in_vain = 0
        for entry in self._entries(split):
            drawn.scanned += 1
            reason = self._unusable(entry)
            if entry is None or entry.answer is None or reason:
                drawn.left_out[reason] += 1
                in_vain += 1
                if in_vain == GIVE_UP:
                    raise self._exhausted(split, drawn)
                continue
            in_vain = 0
            self._taken.add(entry.question)
            drawn.questions.append(entry.question)
            drawn.answers.append(entry.answer)
            drawn.places.append(place(self._seed, split, drawn.scanned - 1))
            yield

    def check_reproducible(self, split: str, drawn: Drawn) -> None:
        """Make the first entries again in a new process.

        Raises:
            UserError: they differ, so that the dataset could be neither built again nor scored.
        """
        rows = min(drawn.scanned, _PROBE)
        seed, _ = place(self._seed, split, 0)
        once = self._gym.entries(seed, 0, rows)
        again = ReasoningGym(self._gym.task, self._gym.options).entries(seed, 0, rows)
        if once != again:
            raise UserError(
                given=f"task {self._gym.task} makes other entries of the same seed each time",
                allowed="a task that a seed determines",
                remedy="choose other --option values, or another task",
            )

    def nonsense_taken(self, drawn: Drawn) -> int:
        """How many of the questions have a verifier that gives full marks to NONSENSE.

        Raises:
            UserError: more than half of them (game_of_life_halting in 0.1.25: any answer that is not empty is right).
        """
        asked = zip(drawn.places, drawn.questions, strict=True)
        scores = self._gym.scores([Answer(*at, question, NONSENSE) for at, question in asked])
        taken = sum(score == 1.0 for score in scores)
        if 2 * taken > len(scores):
            raise UserError(
                given=f"the verifier of task {self._gym.task} in reasoning-gym {self._gym.version} calls the answer "
                f"{NONSENSE!r} right on {taken} of {len(scores)} test questions",
                allowed="a verifier that tells right from wrong",
                remedy="choose another task, or a version of the library where this is mended",
            )
        return taken

    def _entries(self, split: str) -> Iterator[Entry | None]:
        number = 0
        while True:
            seed, index = place(self._seed, split, number)
            assert index + _AT_ONCE <= CHUNK
            yield from self._gym.entries(seed, index, index + _AT_ONCE, check=True)
            number += _AT_ONCE

    def _unusable(self, entry: Entry | None) -> str:
        """Why an entry is left out; "" where it is not."""
        if entry is None:
            return "the library failed"
        if entry.question in self._taken:
            return "question seen before"
        if entry.answer is None:
            return "no reference answer"
        if len(entry.question) > self._limits.question:
            return f"question over {self._limits.question} characters"
        if len(entry.answer) > self._limits.answer:
            return f"answer over {self._limits.answer} characters"
        return "" if entry.verified else "reference answer refused by the verifier"

    def _exhausted(self, split: str, drawn: Drawn) -> UserError:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in drawn.left_out.most_common())
        return UserError(
            given=f"task {self._gym.task}: {len(drawn.questions)} questions for the {split} split in "
            f"{drawn.scanned} entries, the last {GIVE_UP} of them in vain; left out: {reasons}",
            allowed="as many different questions as --train-size and --test-size ask for",
            remedy="ask for fewer, raise --max-question-length or --max-answer-length, or make the task wider "
            "with --option",
        )
