"""Which checkpoints stay: the newest, every n-th step, the best by a metric, and those saved to be kept."""

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from trm.errors import UserError
from trm_lab.files.checksums import is_intact, sealed
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import write_whole

BEST = "best.json"
LARGEST = 1 << 16  # bytes
LOWER_IS_BETTER = ("lm_loss",)  # metrics; of all others higher is better


@dataclass(frozen=True)
class Retention:
    """Which checkpoints stay beside those that were saved to be kept.

    keep_last: so many of the newest.  keep_every: also steps divisible by it.  keep_best: also the best one.
    """

    keep_last: int
    keep_every: int | None = None
    keep_best: bool = True

    def __post_init__(self) -> None:
        if self.keep_last < 1 or (self.keep_every is not None and self.keep_every < 1):
            raise UserError(
                f"keep_last={self.keep_last}, keep_every={self.keep_every}",
                "keep_last at least 1; keep_every at least 1, or none",
                "raise them: without a checkpoint nothing can be resumed",
            )


@dataclass(frozen=True)
class Held:
    """A checkpoint on disk. complete: its files are there in full length."""

    step: int
    keep: bool
    complete: bool


@dataclass(frozen=True)
class Best:
    """The step with the best value of a metric so far.

    metric: its name, and behind it the part of the test split that it is of, where it is not of all of it.
    """

    metric: str
    value: float
    step: int

    def beats(self, other: "Best") -> bool:
        """Whether this value is better: higher, or lower of LOWER_IS_BETTER; a value of another metric always is."""
        if self.metric != other.metric:
            return True
        return self.value < other.value if self.metric.startswith(LOWER_IS_BETTER) else self.value > other.value


def superfluous(held: Iterable[Held], retention: Retention, best: Best | None) -> list[int]:
    """The steps whose checkpoints may go, newest first.

    A damaged one is for its owner to delete: it never goes and never counts, so that it cannot push out a good one.
    """
    good = sorted((h for h in held if h.complete), key=lambda h: h.step, reverse=True)
    loose = [h.step for h in good if not h.keep]
    staying = set(loose[: retention.keep_last]) | {h.step for h in good[:1]}
    if retention.keep_every is not None:
        staying |= {step for step in loose if step % retention.keep_every == 0}
    if best is not None:
        staying.add(best.step)
    return [step for step in loose if step not in staying]


def read_best(root: Path) -> Best | None:
    """The content of best.json; None without one. A damaged one is reported and counts as none."""
    file = root / BEST
    try:
        content = load_json(file, LARGEST)
        match content:
            case {"metric": str(metric), "value": int() | float() as value, "step": int(step)} if step >= 0:
                if is_intact(content):
                    return Best(metric, value, step)
        raise ValueError("not a metric, a value and a step, or it differs from its checksum")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _report(f"{file} is unreadable ({error})", "the next evaluation writes it anew")
        return None


def mark_best(root: Path, metric: str, value: float, step: int) -> bool:
    """Write `step` into best.json if its value is better than the best one's whose checkpoint is still there.

    A value that is not finite is never the best. What the disk refuses is reported, and stops nothing.
    """
    if not math.isfinite(value):
        return False
    candidate, best = Best(metric, float(value), step), read_best(root)
    if best is not None and (root / f"step_{best.step}").is_dir() and not candidate.beats(best):
        return False
    try:
        root.mkdir(parents=True, exist_ok=True)
        write_whole(root / BEST, json.dumps(sealed(asdict(candidate))))
    except OSError as error:
        _report(
            f"{root / BEST} could not be written ({error.strerror})", f"keep step_{step} by hand: it is the best so far"
        )
        return False
    return True


def _report(problem: str, remedy: str) -> None:
    print(f"{problem}\n  training goes on\n  to do:   {remedy}", file=sys.stderr, flush=True)
