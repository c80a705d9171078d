"""Which checkpoints stay: the newest, every n-th step, the best by a metric, and those saved to be kept."""

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm.errors import UserError
from trm_lab.files.checksums import is_intact, sealed
from trm_lab.files.untrusted import read_regular
from trm_lab.files.whole_files import write_whole

BEST = "best.json"
LARGEST = 1 << 16  # bytes
LOWER_IS_BETTER = ("lm_loss",)  # of the metrics that may tell the best checkpoint


@dataclass(frozen=True)
class Retention:
    """What stays beside the checkpoints that were saved to be kept.

    keep_last: as many of the newest.  keep_every: also the steps that it divides.  keep_best: also the best one.
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
    """The step with the best value of a metric so far."""

    metric: str
    value: float
    step: int

    def beats(self, other: "Best") -> bool:
        """Higher is better, except of LOWER_IS_BETTER; another metric starts anew."""
        if self.metric != other.metric:
            return True
        return self.value < other.value if self.metric in LOWER_IS_BETTER else self.value > other.value


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
    """What best.json says; None without one. A damaged one is reported and counts as none."""
    file = root / BEST
    try:
        return _best(json.loads(read_regular(file, LARGEST)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        _report(f"{file} is unreadable ({error})", "the next evaluation writes it anew")
        return None


def mark_best(root: Path, metric: str, value: float, step: int) -> bool:
    """Note `step` as the best if its value is better than the best one's that is still there.

    A value that is not a number is never the best. What the disk refuses is reported, and stops nothing.
    """
    if not math.isfinite(value):
        return False
    candidate, known = Best(metric, float(value), step), read_best(root)
    if known is not None and (root / f"step_{known.step}").is_dir() and not candidate.beats(known):
        return False
    try:
        root.mkdir(parents=True, exist_ok=True)
        found = sealed({"metric": metric, "value": candidate.value, "step": step})
        write_whole(root / BEST, json.dumps(found))
    except OSError as error:
        _report(
            f"{root / BEST} could not be written ({error.strerror})",
            f"keep step_{step} by hand: it is the best so far",
        )
        return False
    return True


def _best(found: Any) -> Best:
    if not isinstance(found, dict):
        raise ValueError("not keys and values")
    if not is_intact(found):
        raise ValueError("it differs from its checksum")
    metric, value, step = found.get("metric"), found.get("value"), found.get("step")
    if not isinstance(metric, str):
        raise ValueError(f"metric is {metric!r}"[:60])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"value is {value!r}"[:60])
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ValueError(f"step is {step!r}"[:60])
    return Best(metric, value, step)


def _report(problem: str, remedy: str) -> None:
    print(f"{problem}\n  training goes on\n  to do:   {remedy}", file=sys.stderr, flush=True)
