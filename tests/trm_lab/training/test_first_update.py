"""A run's first update waits for no package that only its end, its figures or its mirrors need."""

import subprocess
import sys
from pathlib import Path

from tests.runs import NARROW, REPOSITORY, environment

NOT_NEEDED = ("scipy.special", "scipy.stats", "matplotlib", "wandb", "huggingface_hub", "onnx", "tensorboard")
PROGRAM = """
import runpy, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))  # an import of one fails
from trm_lab.training.learner import Learner
step = Learner.step

def only(learner, *arguments):
    step(learner, *arguments)
    print("first update", flush=True)
    sys.exit(0)

Learner.step = only
sys.argv = ["pretrain.py", *sys.argv[2:]]
runpy.run_path("pretrain.py", run_name="__main__")
"""


def test_the_first_update_waits_for_nothing_that_it_does_not_need(dataset: Path, tmp_path: Path) -> None:
    words = [f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}", "global_batch_size=8", "max_steps=2"]
    process = [sys.executable, "-c", PROGRAM, ",".join(NOT_NEEDED), *NARROW, *words]
    done = subprocess.run(process, cwd=REPOSITORY, env=environment(), text=True, capture_output=True, check=False)
    assert "first update" in done.stdout, done.stderr
