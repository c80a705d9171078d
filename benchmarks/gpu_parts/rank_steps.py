"""Makes ten steps on the ranks that torchrun starts: `… rank_steps <configuration> <file> <device> [--failing]`.

The first rank writes the losses. `--failing`: the second rank makes the file and fails while the first goes on.
"""

import json
import sys
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from benchmarks.configurations import named
from benchmarks.contender import make_learner
from trm.errors import UserError
from trm_lab.cluster.ranks import join
from trm_lab.commands.command_line import run_command

STEPS, FAILS_AT = 10, 4


def main() -> None:
    """Train on every rank's own slots of the same batch."""
    name, file, device, *failing = sys.argv[1:]
    (configuration,) = named(name, device, "float32")
    with join(device) as ranks:
        learner = make_learner(configuration, ranks)
        first, count = ranks.local_slots(configuration.batch)
        batch = configuration.random_batch().rows(slice(first, first + count)).to(ranks.device)
        losses = []
        for step in range(STEPS):
            if failing and step == FAILS_AT and not ranks.is_first:
                Path(file).touch()
                raise UserError(
                    f"rank {ranks.rank} fails because of --failing",
                    "steps without --failing",
                    "check that the job ends",
                )
            losses.append(learner.step(batch).loss)
        if ranks.is_first and not failing:
            Path(file).write_text(json.dumps(losses), encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
