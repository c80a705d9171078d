"""How widely an answer is searched for, which of several rollouts is chosen, and when a question is answered.

K rollouts of each question, b questions, L tokens, S supervision steps.

    PTRM (arXiv 2605.19943)   K noisy rollouts, chosen by the halting head      width, noise, select=q_halt
    EqR (arXiv 2605.21488)    random starts, chosen by convergence              width, start=random, select=convergence
    arXiv 2601.19085          the first of several rollouts to halt             width, stop=q_halt:0.5
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.commands.choices import MOST_NOISE, MOST_WIDTH, ROLLOUT_ORDERS, SELECTIONS, STARTS
from trm_lab.puzzles.kinds import KINDS, PuzzleKind
from trm_lab.puzzles.manifest import About

if TYPE_CHECKING:
    from trm.supervision import Supervision

ROLLOUTS = "rollout_"  # before the names of probes `[B, S, K]` of single rollouts


@dataclass(frozen=True)
class StepAnswers:
    """Answers of one rollout to b questions after a supervision step, on the CPU.

    predictions: `[b, L]`.  q_halt_logits: `[b]`.  confidence: `[b]`, what ranks votes (`Supervision.confidence`).
    log_probability: `[b]`, mean over the answer's tokens.  change: `[b]` ‖z − z before‖ / ‖z‖ of the latent z
      that the heads read.
    unchanged: `[b]` steps right before this one with the same prediction.  loss: `[b]` token loss.
    network_calls: of this step, for each question.
    right: `[b]` bool by the rules of the puzzle; None for a kind of puzzle that cannot tell.
    """

    predictions: NDArray[np.integer[Any]]
    q_halt_logits: NDArray[np.float32]
    confidence: NDArray[np.float64]
    log_probability: NDArray[np.float64]
    change: NDArray[np.float32]
    unchanged: NDArray[np.int64]
    loss: NDArray[np.float64]
    network_calls: int
    right: NDArray[np.bool_] | None

    def rows(self, rows: NDArray[np.intp]) -> "StepAnswers":
        """The answers to some of the questions."""
        arrays: dict[str, Any] = {n: column[rows] for n, column in vars(self).items() if isinstance(column, np.ndarray)}
        return replace(self, **arrays)


@dataclass(frozen=True)
class StopRule:
    """When a question needs no further step: a signal and its threshold.

    q_halt: the halting probability is above it.  confidence: the geometric mean of the answer's token probabilities
    reaches it.  agreement: the prediction equals that of so many steps before.  valid: the answer keeps the rules.
    """

    signal: str
    threshold: float | None = None

    @classmethod
    def parse(cls, text: str) -> "StopRule":
        """Read a rule: `q_halt:0.5`, `confidence:0.9`, `agreement:2` or `valid`.

        Raises:
            UserError: there is no such rule, or its threshold is out of range.
        """
        signal, colon, number = text.partition(":")
        try:
            threshold = float(number) if colon else None
        except ValueError:
            threshold = math.nan
        is_rule = {
            "q_halt": threshold is not None and 0 < threshold < 1,
            "confidence": threshold is not None and 0 < threshold < 1,
            "agreement": threshold is not None and threshold >= 1 and threshold.is_integer(),
            "valid": not colon,
        }
        if not is_rule.get(signal, False):
            raise UserError(
                f"a rule to stop by, {shown(repr(text))}",
                "q_halt:P or confidence:P with a probability P between 0 and 1, agreement:K with K from 1, or valid",
                "write for instance q_halt:0.5, agreement:2 or valid",
            )
        return cls(signal, threshold)

    def __str__(self) -> str:
        return self.signal if self.threshold is None else f"{self.signal}:{self.threshold:g}"

    def holds(self, signals: "RolloutSignals") -> NDArray[np.bool_]:
        """Whether the rule holds, a bool array of the signals' shape `[K, …]`."""
        threshold = self.threshold or 0.0
        if self.signal == "q_halt":
            return signals.q_halt_logits > np.float32(math.log(threshold / (1 - threshold)))  # σ(q) > threshold
        if self.signal == "confidence":
            return signals.log_probability >= math.log(threshold)  # a mean of logs: of the geometric mean
        if self.signal == "agreement":
            return signals.unchanged >= threshold
        assert signals.right is not None
        return signals.right


@dataclass(frozen=True)
class RolloutSignals:
    """The signals by which K rollouts are selected and stopped, each `[K, …]`; for the names see `StepAnswers`.

    right: None for a kind of puzzle that cannot tell.  equal: the number of the first rollout with the same
    prediction; None where votes are not needed.
    """

    q_halt_logits: NDArray[np.floating[Any]]
    log_probability: NDArray[np.floating[Any]]
    change: NDArray[np.floating[Any]]
    unchanged: NDArray[Any]
    right: NDArray[np.bool_] | None
    equal: NDArray[np.integer[Any]] | None

    @classmethod
    def of(cls, rollouts: Sequence[StepAnswers], votes: bool) -> "RolloutSignals":
        """Signals `[K, b]` of the rollouts' answers; votes: whether equal answers are to be counted."""
        right = [answers.right for answers in rollouts if answers.right is not None]
        return cls(
            q_halt_logits=np.stack([answers.q_halt_logits for answers in rollouts]),
            log_probability=np.stack([answers.log_probability for answers in rollouts]),
            change=np.stack([answers.change for answers in rollouts]),
            unchanged=np.stack([answers.unchanged for answers in rollouts]),
            right=np.stack(right) if right else None,
            equal=equal_rows(np.stack([answers.predictions for answers in rollouts])) if votes else None,
        )

    def choice(self, select: str, among: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        """The number `[…]` of the rollout that answers; of equals the most confident, then the first.

        among: `[K, …]`, the rollouts to choose from; None: all.
        """
        signal = self._signal(select)
        signal = signal if among is None else np.where(among, signal, -np.inf)
        return np.where(signal == signal.max(0), self.log_probability, -np.inf).argmax(0)

    def _signal(self, select: str) -> NDArray[Any]:
        """The score `[K, …]` whose maximum is selected."""
        if select == "vote":
            assert self.equal is not None
            return (self.equal[:, None] == self.equal[None]).sum(1)  # [K, K, …] → votes for each rollout's answer
        if select == "valid":
            assert self.right is not None
            return self.right.astype(np.int8)
        return {"confidence": self.log_probability, "q_halt": self.q_halt_logits, "convergence": -self.change}[select]


@dataclass(frozen=True)
class Search:
    """How an answer is searched for; the defaults are one rollout, as trained, to the last step.

    width: K.
    noise: σ; before every step but the first, Gaussian noise of σ times each latent's own standard deviation is added
      that is carried.
    start: `trained`, from the fixed vectors (`H_init`, `L_init`, …), or `random`, from standard normal latents.
    symmetries: all rollouts but the first see the question through a random symmetry of its kind of puzzle.
    select: which rollout answers, a key of SELECTIONS.
    stop: when a question is answered; None: after the last step.
    order: `together`, one step of every rollout after another, so that the first to stop ends all; or `in-turn`, a
      whole rollout after another, the next one only for questions that no earlier one has stopped.
    """

    width: int = 1
    noise: float = 0.0
    start: str = "trained"
    symmetries: bool = False
    select: str = "confidence"
    stop: StopRule | None = None
    order: str = "together"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("start", self.start, STARTS),
            ("select", self.select, tuple(SELECTIONS)),
            ("order", self.order, ROLLOUT_ORDERS),
        ):
            if value not in allowed:
                raise UserError(f"{name}={shown(value)}", " | ".join(allowed), "choose one of these")
        if not 1 <= self.width <= MOST_WIDTH or not 0 <= self.noise <= MOST_NOISE:
            raise UserError(
                f"a width of {self.width} rollouts with noise {self.noise}",
                f"1 to {MOST_WIDTH} rollouts, noise from 0 to {MOST_NOISE:g}",
                "try width 16 and noise 0.3",
            )
        if self.width > 1 and not self.differs:
            raise UserError(
                f"{self.width} rollouts that would all be the same",
                "rollouts that differ: by noise (--noise 0.3), by their start (--start random) or by --symmetries",
                "add one of these, or leave --width out",
            )
        if self.width == 1 and (self.select, self.order, self.symmetries) != ("confidence", "together", False):
            raise UserError(
                f"select={self.select}, order={self.order}, symmetries={self.symmetries} with a single rollout",
                "several rollouts to choose from, of which all but the first see a symmetry",
                "add --width 16 --noise 0.3, or leave these out",
            )

    @property
    def differs(self) -> bool:
        """Whether rollouts differ from each other, and from the plain one."""
        return self.noise > 0 or self.start == "random" or self.symmetries

    @property
    def at_once(self) -> int:
        """Rollouts that advance in one step."""
        return 1 if self.order == "in-turn" else self.width

    @property
    def is_plain(self) -> bool:
        """Whether it is one rollout as trained, to the last step."""
        return self == Search()

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {**asdict(self), "stop": None if self.stop is None else str(self.stop)}

    @property
    def suffix(self) -> list[str]:
        """The settings that differ from the defaults, as parts of a folder's name."""
        parts = [
            f"width{self.width}" if self.width > 1 else "",
            f"noise{self.noise:g}" if self.noise else "",
            "random-start" if self.start == "random" else "",
            "symmetries" if self.symmetries else "",
            f"by-{self.select}" if self.select != "confidence" else "",
            f"stop-{str(self.stop).replace(':', '')}" if self.stop is not None else "",
            self.order if self.order != "together" else "",
        ]
        return [part for part in parts if part]

    def check(self, supervision: "Supervision[Any]", abouts: Sequence[About | None]) -> None:
        """Check that a method and kinds of puzzles have what the search needs.

        abouts: what each dataset says of itself.

        Raises:
            UserError: a halting head, a check of answers, or symmetries are needed and missing.
        """
        signals = {self.select, self.stop.signal if self.stop is not None else ""}
        available = available_selections(supervision.confidence_kind, abouts)
        if "q_halt" in signals - {*available}:
            raise UserError(
                "q_halt, the halting head, of a method that does not train one (DIS)",
                "confidence | convergence | vote | valid to select, confidence:P | agreement:K | valid to stop",
                "choose one of these, or a checkpoint of TRM",
            )
        if "valid" in signals - {*available}:
            raise UserError(
                "valid, of a puzzle whose answers cannot be checked without knowing the right one",
                _kinds_with("checks_answers"),
                "select by confidence or vote, or stop by confidence:P or agreement:K",
            )
        if self.symmetries and not all(kind is not None and kind.symmetry is not None for kind in _kinds(abouts)):
            raise UserError(
                "symmetries, of a kind of puzzle for which none are written down",
                _kinds_with("symmetry") + " (ARC's augmentations vote already: --num-aug)",
                "let rollouts differ by --noise or --start random",
            )


def available_selections(confidence_kind: str, abouts: Sequence[About | None]) -> list[str]:
    """Keys of SELECTIONS that a method (by the kind of its confidence) and the datasets' kinds of puzzles allow."""
    lacking = {"q_halt"} if confidence_kind != "halting_probability" else set()
    if not all(kind is not None and kind.checks_answers for kind in _kinds(abouts)):
        lacking.add("valid")
    return [name for name in SELECTIONS if name not in lacking]


def _kinds(abouts: Sequence[About | None]) -> list[PuzzleKind | None]:
    return [KINDS.get(about.scorer) if about is not None else None for about in abouts]


def _kinds_with(attribute: str) -> str:
    return ", ".join(name for name, kind in KINDS.items() if getattr(kind, attribute)) + " puzzles"


def equal_rows(predictions: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """For each of K predictions `[K, b, L]` the number of the first one that is equal: `[K, b]`."""
    row_bytes = np.dtype((np.void, predictions.shape[2] * predictions.itemsize))  # a row compares as one value
    rows = np.ascontiguousarray(predictions).view(row_bytes)[..., 0]  # [K, b]
    return (rows[:, None] == rows[None]).argmax(1)
