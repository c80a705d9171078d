"""Averaged weights that are still mostly those before the first update: their scores say little of what was learnt."""

from collections.abc import Mapping
from typing import Any

# On 4×4 sudokus an average with 55 % of the first weights in it solves 0.5 %, the last weights 97.5 %; with 37 %, 90 %.
LARGEST_FIRST_SHARE = 0.5


def large_first_share(config: Mapping[str, Any], updates: int) -> str:
    """In words, how much of the first weights is in their average after `updates`; "" if little, or without an average.

    config: of a run, which may be a stranger's.
    """
    rate = config.get("ema_rate")
    if not config.get("ema") or not isinstance(rate, float) or not 0 < rate < 1:
        return ""
    share = rate ** max(0, updates)
    return f"{100 * share:.0f} % of which is still where training began" if share > LARGEST_FIRST_SHARE else ""


def score_remark(config: Mapping[str, Any], updates: int) -> str:
    """What to say beside scores of a run's averaged weights after `updates`; "" where there is nothing to say."""
    share = large_first_share(config, updates)
    if not share:
        return ""
    return (
        f"scores are of averaged weights (ema), {share}: train for longer or with ema=False;"
        " evaluate.py with --weights raw scores the last ones"
    )
