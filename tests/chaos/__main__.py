"""Hold rounds and report survived / tried: python -m tests.chaos

CHAOS_ROUNDS (6), CHAOS_SEED (the clock), CHAOS_REPORT (a JSON file for the table), CHAOS_FOLDER (a temporary one),
CHAOS_CHEAP (one rank, one disturbance a round), CHAOS_DATASET (a small ARC set that is there).
Numbers behind the command repeat those rounds of the seed only.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos import disturbances
from tests.chaos.launching import WarmServer
from tests.chaos.rounds import Arena, Outcome, Round
from tests.runs import build_small_arc

VERDICTS = ("survived", "said so", "failed")
TRUE_COMMAND_EVERY = 12  # rounds


def campaign(folder: Path, rounds: int, seed: str, only: list[int], cheap: bool = False) -> dict[str, Any]:
    """Hold the rounds in `folder`; the report.

    Args:
        only: these, in place of all.  cheap: on one rank, one disturbance each, none by the command line.
    """
    built = os.environ.get("CHAOS_DATASET")
    dataset = Path(built) if built else build_small_arc(folder / "arc-small")
    small_disk = folder / "small_disk"
    small_disk.mkdir()
    refused = disturbances.can_mount(small_disk)
    server, begin = WarmServer(), time.monotonic()
    outcomes: dict[int, Outcome] = {}
    try:
        arena = Arena(folder, dataset, server, None if refused else small_disk)
        for number in only or range(rounds):
            warm = cheap or number % TRUE_COMMAND_EVERY != TRUE_COMMAND_EVERY - 1
            held = Round(arena, number, seed, warm, cheap)
            outcomes[number] = outcome = held.hold()
            print(f"round {number}: {outcome.verdict} ({', '.join(outcome.kinds)})", flush=True)
            if outcome.verdict != "survived":
                print("    " + "\n    ".join(outcome.story), flush=True)
    finally:
        server.close()
        if not refused:
            disturbances.unmount(small_disk)
    return {
        "seed": seed,
        "rounds": len(outcomes),
        "seconds": round(time.monotonic() - begin),
        "disk full": f"not tried: {refused}" if refused else "tried on a tmpfs of 8 MB",
        "outcomes": dict(Counter(outcome.verdict for outcome in outcomes.values())),
        "kinds": by_kind(list(outcomes.values())),
        "failed": {number: o.story for number, o in outcomes.items() if o.verdict == "failed"},
    }


def by_kind(outcomes: list[Outcome]) -> dict[str, dict[str, int]]:
    """kind → verdict → rounds in which it struck."""
    table: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        for kind in sorted(set(outcome.kinds)):
            row = table.setdefault(kind, dict.fromkeys(VERDICTS, 0))
            row[outcome.verdict] += 1
    return dict(sorted(table.items()))


def as_text(report: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [f"{'':26}{'rounds':>8}" + "".join(f"{verdict:>10}" for verdict in VERDICTS)]
    for kind, row in report["kinds"].items():
        lines.append(f"{kind:26}{sum(row.values()):8}" + "".join(f"{row[v]:10}" for v in VERDICTS))
    total = report["outcomes"]
    lines.append(f"{'all':26}{report['rounds']:8}" + "".join(f"{total.get(v, 0):10}" for v in VERDICTS))
    lines.append(f"CHAOS_SEED={report['seed']}, {report['seconds']} s; disk full: {report['disk full']}")
    return "\n".join(lines)


def main() -> None:
    """Read the environment, hold the rounds, print and write the report."""
    seed = os.environ.get("CHAOS_SEED") or str(time.time_ns())
    print(f"CHAOS_SEED={seed} repeats these rounds", flush=True)
    only = [int(number) for number in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("CHAOS_FOLDER") or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        report = campaign(folder, int(os.environ.get("CHAOS_ROUNDS", "6")), seed, only, "CHAOS_CHEAP" in os.environ)
    print(as_text(report))
    if "CHAOS_REPORT" in os.environ:
        Path(os.environ["CHAOS_REPORT"]).write_text(json.dumps(report, indent=1) + "\n")
    sys.exit(bool(report["failed"]))


if __name__ == "__main__":
    main()
