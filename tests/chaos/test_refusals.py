"""Numbers that are not finite, weights that drift apart, a directory in use: refused, and told why."""

import re
import signal
import time
from pathlib import Path

import pytest

from tests.chaos import hooks
from tests.chaos.judging import differences
from tests.chaos.launching import send
from tests.chaos.rounds import STEPS, Arena, Live, Variant
from tests.runs import records
from trm_lab.runs import checkpoints
from trm_lab.runs.training_state import TrainingState

ONE = Variant("dis", ema=False, ranks=1)
TWO = Variant("dis", ema=False, ranks=2)
OVERFLOWING = 3e38  # finite in float32, but not once it is scaled by √hidden_size


def ended(arena: Arena, variant: Variant, run: Path, live: Live) -> tuple[int, str]:
    """Exit code and output of one launch."""
    log = run.parent / f"log_{time.monotonic_ns()}"
    launch = arena.start(variant, run, log, live)
    launch.wait(120)
    assert launch.code is not None
    return launch.code, log.read_text()


@pytest.fixture(scope="module")
def poisoned(arena: Arena, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Weights to start from, whose embedding of one puzzle overflows, and its number; slots take it up in step 4."""
    run = tmp_path_factory.mktemp("poisoned") / "run"
    code, output = ended(arena, ONE, run, Live("none", overrides=("max_steps=6",)))
    assert code == 0, output
    before, content = (checkpoints.load(run / f"checkpoints/step_{step}") for step in (3, 6))
    taken = {int(number) for number in before.carry["puzzle_identifiers"]}
    puzzle = next(int(n) for n in content.carry["puzzle_identifiers"] if int(n) not in taken)
    model = {**content.model, "puzzle_emb.weights": content.model["puzzle_emb.weights"].clone()}
    model["puzzle_emb.weights"][puzzle] = OVERFLOWING
    changed = TrainingState(model, content.ema, content.optimizer, content.carry, content.state)
    checkpoints.save(run / "checkpoints/step_6", changed, keep=True)
    return run / "checkpoints/step_6", puzzle


def test_a_loss_that_is_not_finite_stops_every_rank_before_the_update(
    arena: Arena, run: Path, poisoned: tuple[Path, int]
) -> None:
    weights, puzzle = poisoned
    overrides = (f"load_checkpoint={weights}", "log_interval=1", "checkpoint_interval=1")
    code, output = ended(arena, TWO, run, Live("none", overrides=overrides))
    assert code == 2, output
    assert "Traceback" not in output
    assert [record["step"] for record in records(run, "train")] == [1, 2, 3]
    assert "the loss of step 4 (nan)" in output
    said = [line for line in output.splitlines() if line.startswith("error")]
    assert said  # by one rank at least: the other may be killed before
    assert all(f"in puzzle identifiers {puzzle} on rank " in line for line in said)
    assert 'last record: {"step": 3, "loss": ' in output
    assert "on_nonfinite=skip" in output
    assert [folder.name for folder in checkpoints.steps(run / "checkpoints")] == ["step_3", "step_2"]


@pytest.mark.long
def test_a_skipped_step_is_counted_and_the_run_goes_on_alike_on_one_rank_and_two(
    arena: Arena, tmp_path: Path, poisoned: tuple[Path, int]
) -> None:
    overrides = (f"load_checkpoint={poisoned[0]}", "log_interval=1", "on_nonfinite=skip")
    counts = []
    for variant in (ONE, TWO):
        run = tmp_path / variant.name / "run"
        run.parent.mkdir()
        code, output = ended(arena, variant, run, Live("none", overrides=overrides))
        assert code == 0, output
        told = records(run, "train")
        assert told[-1]["step"] == STEPS
        counts.append([(record["step"], record.get("skipped", 0)) for record in told])
    assert counts[0] == counts[1]
    assert counts[0][2:4] == [(3, 0), (7, 3)]  # a skipped step has no record
    assert counts[0][-1][1] < STEPS


@pytest.mark.long
def test_weights_that_overflow_are_refused_on_two_ranks(arena: Arena, run: Path) -> None:
    overrides = ("lr=1", "weight_decay=1000", "log_interval=1", "checkpoint_interval=null")
    code, output = ended(arena, TWO, run, Live("none", overrides=overrides))
    assert code == 2, output
    assert "is not finite; the last checkpoint is from before it" in output
    assert "last record: " in output
    assert not list(run.glob("checkpoints/step_*"))


def test_weights_that_drift_apart_are_found_at_the_next_checkpoint(arena: Arena, run: Path) -> None:
    code, output = ended(arena, TWO, run, Live("none", variables={hooks.FLIP_AFTER: "5"}))
    assert code == 2, output
    assert re.search("error( on rank 1)?: the ranks' weights differ after step 6", output)  # the other may be killed
    assert [folder.name for folder in checkpoints.steps(run / "checkpoints")] == ["step_3"]
    assert "resuming from" in ended(arena, TWO, run, Live("none"))[1]
    assert differences(run, STEPS, arena.undisturbed(TWO).ending, bitwise=True) == []


def test_a_second_run_on_a_directory_is_refused_and_the_first_unharmed(arena: Arena, run: Path) -> None:
    whole = arena.undisturbed(ONE)
    first = arena.start(ONE, run, run.parent / "first", Live("none"))
    while not (run / "lock.json").is_file() or not (run / "lock.json").stat().st_size:
        first.look()
        assert first.code is None
        time.sleep(0.001)
    holder = first.ranks()[0]
    send(holder, signal.SIGSTOP)
    try:
        code, output = ended(arena, ONE, run, Live("none"))
    finally:
        send(holder, signal.SIGCONT)
    assert code == 2, output
    assert f"is in use by process {holder}" in output
    first.wait(120)
    assert first.code == 0, (run.parent / "first").read_text()
    assert differences(run, STEPS, whole.ending, bitwise=True) == []
