"""Training reads a solver's order and stored steps beside the dataset where the step targets ask for them."""

from pathlib import Path

import pytest
import torch

from tests.runs import records, tensors, train_here
from tests.trm_lab.puzzles.builders import build
from trm.errors import UserError
from trm_lab.puzzles.sudoku import builder_4x4

LENGTH = ("global_batch_size=8", "epochs=10", "eval_interval=10", "log_interval=1")
SOURCES = {"rounds": ("arch.target_order=solver", "arch.target_schedule=rounds"), "stored": ("arch.targets=stored",)}


@pytest.fixture(scope="module")
def sudokus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flags = ("--train-size", 24, "--test-size", 8, "--steps", 3)
    return build(builder_4x4, tmp_path_factory.mktemp("data") / "sudokus", *flags)


def run(dataset: Path, folder: Path, *overrides: str, steps: int = 5) -> dict[str, torch.Tensor]:
    """The tensors after so many updates; the third of them ends the first examples."""
    words = ("arch=dis", "arch.halt_max_steps=3", "evaluators=[]", f"data_paths=[{dataset}]", *LENGTH)
    train_here("pretrain.py", *words, f"checkpoint_path={folder}", f"max_steps={steps}", *overrides)
    return tensors(folder, steps)


def test_steps_stored_in_the_solver_s_order_train_as_its_rounds_do_and_a_random_order_does_not(
    sudokus: Path, tmp_path: Path
) -> None:
    rounds, stored = (run(sudokus, tmp_path / name, *SOURCES[name]) for name in ("rounds", "stored"))
    random = run(sudokus, tmp_path / "random")
    weights = [name for name in rounds if name.startswith("model:")]
    assert weights
    assert all(torch.equal(rounds[name], stored[name]) for name in weights)
    assert not all(torch.equal(rounds[name], random[name]) for name in weights)


@pytest.mark.parametrize("source", SOURCES)
def test_a_run_stopped_within_an_example_goes_on_with_the_same_targets(
    source: str, sudokus: Path, tmp_path: Path
) -> None:
    whole = run(sudokus, tmp_path / "whole", *SOURCES[source])
    for steps in (4, 5):
        parts = run(sudokus, tmp_path / "parts", *SOURCES[source], steps=steps)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert records(tmp_path / "whole", "train") == records(tmp_path / "parts", "train")


def test_a_run_that_asks_for_stored_steps_is_refused_before_it_starts_without_them(
    sudokus: Path, tmp_path: Path
) -> None:
    bare = build(builder_4x4, tmp_path / "bare", "--train-size", 24, "--test-size", 8)
    with pytest.raises(UserError, match="bare has no stored steps") as error:
        run(bare, tmp_path / "run", *SOURCES["stored"])
    assert "--steps 8 --overwrite" in error.value.remedy
    assert not (tmp_path / "run").exists()
