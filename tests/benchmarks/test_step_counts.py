"""What a step asks of a GPU is no more than was counted: a change that adds a wait, a launch or a copy is noticed.

It needs a GPU that computes nothing, of which NULLGPU_RUN is the `run` script and NULLGPU_DIR the folder that its
setup made. `python -m pytest tests/benchmarks/test_step_counts.py -m "long or not long" -s` prints the counts, for the
table.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runs import REPOSITORY

RUN, FOLDER = (os.environ.get(name) for name in ("NULLGPU_RUN", "NULLGPU_DIR"))
COUNTS = ("waits", "launches", "graph launches", "copied, kB", "allocated, MiB")
RECORDED = {  # a step, in the order of COUNTS
    "dis-compact-nqueens-b64-bfloat16-off": (1.0, 513.5, 0.0, 31587.24, 267.44),
    "trm-compact-nqueens-b64-bfloat16-off": (1.0, 553.0, 0.0, 31557.45, 267.72),
    "dis-compact-nqueens-b64-bfloat16-auto": (1.0, 16.5, 2.0, 5503.46, 61.71),
    "dis-compact-nqueens-b64-bfloat16-max": (1.0, 16.5, 2.0, 5503.46, 61.71),
    "trm-compact-nqueens-b64-bfloat16-auto": (1.0, 19.0, 2.0, 5473.96, 61.46),
}
EAGER = [name for name in RECORDED if name.endswith("-off")]
COMPILED = [pytest.param(name, marks=pytest.mark.long) for name in RECORDED if name not in EAGER]  # takes minutes
SLACK = 1.005  # allocations are rounded


@pytest.mark.skipif(not (RUN and FOLDER), reason="NULLGPU_RUN and NULLGPU_DIR name no GPU that computes nothing")
@pytest.mark.parametrize("name", [*EAGER, *COMPILED])
def test_a_step_asks_no_more_of_a_gpu_than_recorded(name: str) -> None:
    seen = counted(name)
    print(f'\n    "{name}": {tuple(round(seen["counts"][count], 2) for count in COUNTS)},')
    allowed = dict(zip(COUNTS, RECORDED[name], strict=True))
    more = {count: n for count, n in seen["counts"].items() if n > SLACK * allowed[count]}
    assert more == {}, f"{allowed}\n{seen['waits']}"


def counted(name: str) -> dict[str, Any]:
    script = Path(__file__).with_name("nullgpu_counts.py")
    words = [str(RUN), str(FOLDER), str(REPOSITORY), str(script), name]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "goes on" not in done.stdout, "compiling or recording failed, and the step went on without"
    return json.loads(done.stdout.splitlines()[-1])
