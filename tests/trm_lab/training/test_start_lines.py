"""What the terminal says before and during training, so that nobody waits for a sign or guesses at a number."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs import REPOSITORY, environment, train_here
from trm_lab.commands import progress
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.training.start_lines import repeated

WITHOUT_TORCH = "import runpy, sys; sys.modules['torch'] = None; runpy.run_module(sys.argv[0], run_name='__main__')"
SMALL = ("max_steps=4", "global_batch_size=8", "epochs=40", "eval_interval=40", "log_interval=1", "compile=off")
STARTS = ("method: ", "data: ", "device: ", "updates: ", "run directory: ", "expected time: ")


def first_line(*words: str, **variables: str) -> str:
    """What `python -m <words>` prints first on a machine where torch cannot be imported."""
    program = f"import sys; sys.argv = {list(words)!r}; {WITHOUT_TORCH}"
    env = {**environment(), **variables}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=env, text=True, capture_output=True, check=False
    )
    assert done.returncode, "torch was not needed"
    assert done.stdout == "", "which a result would stand in"
    return done.stderr.partition("\n")[0]


def said(dataset: Path, run: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """The lines that a small run prints, by their first words."""
    train_here("train_arc_tiny_corrupt.py", f"data_paths=[{dataset}]", f"checkpoint_path={run}", *SMALL, *words)
    lines = capsys.readouterr().out.splitlines()
    order = [start for line in lines for start in STARTS if line.startswith(start)]
    assert order == [*STARTS, "run directory: "], "each once, in this order; at the end where the run is"
    return {start: next(line for line in lines if line.startswith(start)) for start in STARTS}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("pretrain arch=dis", "pretrain.py"),
        ("evaluate runs/a", "evaluate.py"),
        ("export runs/a --to hub --output-dir b", "export.py"),
        ("trm_lab solve runs/a 53..7", "trm-lab solve"),
        ("trm_lab analyse thinking runs/a", "trm-lab analyse thinking"),
    ],
)
def test_the_first_line_comes_before_torch_is_imported(words: str, name: str) -> None:
    assert first_line(*words.split()).startswith(f"{name}: loading ")


def test_the_first_line_is_of_the_first_rank_alone_and_not_in_a_printed_configuration() -> None:
    assert "loading" not in first_line("pretrain", "arch=dis", RANK="1", WORLD_SIZE="2")
    assert "loading" not in first_line("pretrain", "--cfg", "job")


def test_a_run_says_what_it_trains_on_what_where_and_how_long(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(dataset, tmp_path / "run", capsys, "max_minutes=5")
    form = r"method: DIS \(released code\), [\d,]+ parameters and a puzzle embedding of .*; seed 0"
    assert re.fullmatch(form, lines["method: "])
    assert re.fullmatch(
        rf"data: {dataset} \(\d+ groups, \d+ examples of .* tokens\); test: \d+ examples", lines["data: "]
    )
    assert re.match(r"device: CPU.*, 1 rank of \d+ thread", lines["device: "])
    assert lines["updates: "].startswith(
        "updates: at most 4, of 8 examples each, in at most 5 minutes; the time they take"
    )
    assert lines["run directory: "] == f"run directory: {tmp_path / 'run'}"
    assert lines["expected time: "].endswith("for the remaining 2 of 4 updates, evaluations not counted")


def test_a_run_too_short_for_averaged_weights_says_so(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}"
    train_here("pretrain.py", data, run, *SMALL, "ema=True", "ema_rate=0.9")
    train_here("pretrain.py", data, run, *SMALL, "ema=True", "ema_rate=0.9", "max_steps=12")
    output = capsys.readouterr().out
    (line,) = (line for line in output.splitlines() if line.startswith("weights: "))
    assert line.startswith("weights: evaluations use their average, 66 % of which is still where training began")
    remark = "scores are of averaged weights (ema), 66 % of which is still where training began"
    assert output.count(remark) == 1, "beside the scores of the short run"
    run_path = tmp_path / "run"
    assert open_checkpoint(run_path / "checkpoints/step_4").score_remark.startswith(remark)
    assert open_checkpoint(run_path / "checkpoints/step_4", weight_kind="raw").score_remark == ""
    assert open_checkpoint(run_path).score_remark == ""


def test_a_batch_that_is_larger_than_the_training_set_is_told_once_in_words() -> None:
    assert repeated(16, 16) is None
    told = repeated(768, 16)
    assert told is not None
    assert "of which there are 16: each stands in one about 48.0 times; set global_batch_size=16" in told


def test_a_run_of_another_rank_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    one = progress.Progress(3, 0, shown=False)
    for _ in range(2):
        one.advance()
        one.describe({"loss": 1.0, "step_accuracy": [0.5]})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ([0.93, 0.94, 0.95], "cell accuracy after supervision step 1 → 3: 93 → 95 %"),
        ([None, 0.25, 0.5, None], "cell accuracy after supervision step 2 → 3: 25 → 50 %"),
        ([None, 0.5], "cell accuracy after supervision step 2: 50 %"),
        ([None, None], "cell accuracy –"),
    ],
)
def test_a_progress_line_says_what_its_percentages_are_of(
    shares: list[float | None], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = progress.Progress(1, 0, shown=True)
    one.advance()
    one.describe({"loss": 1.0, "step_accuracy": shares})
    assert f"update 1/1, loss 1.000, {text}, 0:00 left" in capsys.readouterr().out
