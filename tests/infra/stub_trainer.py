"""Stands in for the training under torchrun: what it is told by `name=value` words, without importing torch.

end=CODE         leave with this code at the first start (at later ones: 0)
always=yes       … at every start
end_rank=RANK    … this rank only; the others wait for a signal
lost_rank=RANK   this rank leaves with 1 instead of saving
save=SECONDS     how long a save takes after a signal
Each event is a file in FOLDER: started_, asked_ or saved_<rank>_<start>.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

REQUEUE_ME = 75
WAIT = 60.0  # seconds until a test that sends no signal fails


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    folder = Path(given["folder"])
    rank, start = os.environ["RANK"], int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    asked: list[int] = []

    def note(event: str) -> None:
        (folder / f"{event}_{rank}_{start}").write_text(os.environ["WORLD_SIZE"])

    def ask(signum: int, frame: FrameType | None) -> None:
        asked.append(signum)
        note("asked")

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGUSR1, ask)
    note("started")
    if "end" in given and given.get("end_rank", rank) == rank:
        sys.exit(int(given["end"]) if start == 0 or "always" in given else 0)
    begin = time.monotonic()
    while not asked and time.monotonic() - begin < WAIT:
        time.sleep(0.02)
    if given.get("lost_rank") == rank:
        sys.exit(1)
    saved = time.monotonic() + float(given.get("save", "0"))
    while time.monotonic() < saved:  # a signal cuts no save short
        time.sleep(0.02)
    note("saved")
    sys.exit(REQUEUE_ME if asked else 1)


if __name__ == "__main__":
    main()
