"""What makes a step fast changes no number: arrears, batches made ahead, steps that are left out."""

import hashlib
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.models import act, batch, dis
from tests.runs import records, tensors
from tests.trm_lab.training.learners import learner
from tests.trm_lab.training.test_every_preset import PRESETS, run
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.puzzles.loading import TrainingData
from trm_lab.training import launch, trainer
from trm_lab.training.learner import Learner
from trm_lab.training.prefetch import Feed
from trm_lab.training.step_result import NonFiniteError
from trm_lab.training.weight_consistency import checksum


@pytest.mark.parametrize("preset", ["dis as released", "trm"])
def test_numbers_read_in_arrears_and_batches_made_ahead_change_nothing(
    preset: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: the host is a step ahead of what it knows, and two batches are under way."""
    words = [*PRESETS[preset], "eval_interval=1", "max_steps=15", "checkpoint_interval=4", "log_interval=3"]
    run(dataset, tmp_path / "at once", *words)
    monkeypatch.setattr(Learner, "checks_first", property(lambda learner: False))
    monkeypatch.setattr(trainer.Feed, "on", classmethod(lambda cls, device, data, free: Feed(data, free, ahead=2)))
    run(dataset, tmp_path / "behind", *words)
    first, second = (tensors(tmp_path / r, 15) for r in ("at once", "behind"))
    assert [n for n in first if not torch.equal(first[n], second[n])] == []
    for kind in ("train", "evaluation"):
        assert records(tmp_path / "at once", kind) == records(tmp_path / "behind", kind)


def test_a_step_that_is_not_finite_is_told_in_arrears_too(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learner, "checks_first", property(lambda learner: False))
    words = ["arch=dis", "lr=1", "weight_decay=1000", "lr_warmup_steps=0", "max_steps=40", "optimizer=adamw"]
    with pytest.raises(NonFiniteError, match=r"the loss of step \d+"):
        run(dataset, tmp_path / "run", *words)


@pytest.mark.parametrize("ahead", [1, 3])
def test_batches_made_ahead_come_in_order_and_their_position_is_that_of_the_last_one_taken(
    dataset: Path, ahead: int
) -> None:
    made = partial(TrainingData, [dataset], seed=0, global_batch_size=8, epochs_per_iteration=9)
    direct, feed = made(), Feed(made(), lambda updates: None, ahead)
    for step in range(4):
        expected, taken = direct.next_batch(), feed.next_batch(step)
        assert expected is not None
        assert taken is not None
        assert torch.equal(expected.inputs, taken.inputs)
        assert feed.state() == direct.state()
    middle = feed.state()
    while feed.next_batch(9) is not None:
        pass
    feed.restore(middle)
    expected, taken = direct.next_batch(), feed.next_batch(4)
    assert expected is not None
    assert taken is not None
    assert torch.equal(expected.inputs, taken.inputs)
    feed.start_iteration(1)
    direct.start_iteration(1)
    expected, taken = direct.next_batch(), feed.next_batch(5)
    assert expected is not None
    assert taken is not None
    assert torch.equal(expected.inputs, taken.inputs)
    feed.close()


def test_what_goes_wrong_while_a_batch_is_made_ahead_reaches_who_takes_it(dataset: Path) -> None:
    def refuse(updates: int) -> None:
        raise UserError("a bad token", "good ones", "build again")

    feed = Feed(TrainingData([dataset], seed=0, global_batch_size=8, epochs_per_iteration=9), refuse, 2)
    with pytest.raises(UserError, match="a bad token"):
        feed.next_batch(0)
    feed.close()


def test_parts_that_do_not_divide_the_slots_are_refused() -> None:
    with pytest.raises(UserError, match="set gradient_accumulation_steps=2"):
        learner(dis(), gradient_accumulation_steps=3)


@pytest.mark.parametrize("make", [act, dis])
def test_a_step_that_is_not_finite_is_left_out_and_counted(make) -> None:  # type: ignore[no-untyped-def]
    trained = learner(make(), on_nonfinite="skip")
    trained.step(batch(8))
    assert trained.carry is not None
    assert trained.flat is not None
    trained.carry.latents["z_H"][3] = float("nan")
    weights = trained.flat.vector.detach().clone()
    assert trained.model.puzzle_emb is not None
    table = trained.model.puzzle_emb.weights.clone()
    result = trained.step(batch(8))
    assert trained.was_skipped(result)
    assert trained.skipped == 1
    assert torch.equal(weights, trained.flat.vector.detach())
    assert torch.equal(table, trained.model.puzzle_emb.weights)
    after = trained.step(batch(8))
    assert after.finite
    assert not torch.equal(weights, trained.flat.vector.detach())


def test_no_part_of_a_checkpoint_holds_a_number_that_is_not_finite() -> None:
    trained = learner(dis(), ema=True)
    trained.step(batch(8))
    parts = trained.tensors()
    for part in ("model", "ema", "optimizer", "carry"):
        name, value = next((n, t) for n, t in parts[part].items() if t.is_floating_point() and t.ndim)
        kept = value.clone()
        trained.restore(1, parts | {part: parts[part] | {name: torch.full_like(value, torch.inf)}})
        with pytest.raises(NonFiniteError, match=f"{part} {name} after step 1 is not finite"):
            trained.tensors()
        trained.restore(1, parts | {part: parts[part] | {name: kept}})


def test_a_step_that_is_not_finite_names_step_puzzles_rank_and_the_last_record() -> None:
    trained = learner(dis())
    trained.step(batch(8))
    assert trained.carry is not None
    trained.carry.latents["z_H"][3] = float("nan")
    trained.last_record = {"step": 1, "loss": 2.5, "metrics": {"lm_loss": 2.5}, "lr": 0.1}
    puzzle = trained.carry.puzzle_identifiers[3].item()
    with pytest.raises(NonFiniteError) as told:
        trained.step(batch(8))
    text = str(told.value)
    assert f"the loss of step 2 (nan), in puzzle identifiers {puzzle} on rank 0;" in text
    assert '"lm_loss": 2.5' in text
    assert trained.steps_done == 1


def test_one_flipped_bit_anywhere_changes_a_checksum() -> None:
    generator = np.random.Generator(np.random.Philox(0))
    vector = torch.from_numpy(generator.standard_normal(1000).astype(np.float32))
    before = checksum(vector)
    for place in range(0, 1000, 37):
        other = vector.clone()
        other.view(torch.int32)[place] ^= 1 << int(generator.integers(32))
        assert not torch.equal(before, checksum(other))
    swapped = vector.clone()
    swapped[[3, 700]] = vector[[700, 3]]
    assert not torch.equal(before, checksum(swapped))


def test_the_best_checkpoint_by_a_metric_stays(dataset: Path, tmp_path: Path) -> None:
    words = ["arch=dis", "eval_interval=1", "max_steps=18", "checkpoint_every_eval=False", "keep_last=1"]
    run(dataset, tmp_path / "run", *words, "keep_best=cell_accuracy", "lr=1e-2", "puzzle_emb_lr=0")
    scored = {r["step"]: r["scores"]["per_step"]["cell_accuracy"][-1] for r in records(tmp_path / "run", "evaluation")}
    best = json.loads((tmp_path / "run/checkpoints/best.json").read_text())
    assert best["value"] == max(scored.values())
    assert scored[best["step"]] == best["value"]
    assert (tmp_path / "run/checkpoints" / f"step_{best['step']}").is_dir()
    assert len(scored) > 2


@pytest.mark.parametrize("behind", [False, True])
def test_checkpoints_by_the_clock(behind: bool, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    due = iter([False, False, True, False, False, False, True, *[False] * 99])
    monkeypatch.setattr(trainer.Trainer, "save_due", property(lambda trainer: next(due)))
    monkeypatch.setattr(Learner, "checks_first", property(lambda learner: not behind))
    words = ["arch=dis", "max_steps=12", "checkpoint_interval=null", "keep_last=9"]
    run(dataset, tmp_path / "run", *words, "checkpoint_every_minutes=1")
    saved = [p.name for p in (tmp_path / "run/checkpoints").glob("step_*")]
    expected = (4, 8, 12) if behind else (3, 7, 12)
    assert sorted(saved) == sorted(f"step_{n}" for n in expected)


def test_a_clock_is_due_when_its_minutes_are_over_and_only_on_the_first_rank() -> None:
    def due(minutes: float | None, ranks: Ranks) -> bool:
        config = SimpleNamespace(checkpoint_every_minutes=minutes)
        return trainer.Trainer.save_due.fget(SimpleNamespace(config=config, ranks=ranks, saved_at=0.0))  # type: ignore[attr-defined]

    assert due(1e-9, Ranks())
    assert not due(1e9, Ranks())
    assert not due(None, Ranks())
    assert not due(1e-9, Ranks(1, 2))


def test_a_resumed_run_is_compiled_if_and_only_if_its_checkpoint_was(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda forward, **_: forward)
    for compiled in (True, False):
        folder = tmp_path / str(compiled)
        for steps, pays in ((2, compiled), (4, not compiled)):
            monkeypatch.setattr(launch, "pays_to_compile", lambda *_, pays=pays: pays)
            run(dataset, folder, "arch=dis", f"max_steps={steps}")
            state = json.loads((folder / f"checkpoints/step_{steps}/state.json").read_text())
            assert state["compiled_on_cpu"] is compiled


def test_a_run_of_before_a_key_was_renamed_goes_on(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "run", "arch=dis", "max_steps=2")
    state = tmp_path / "run/checkpoints/step_2/state.json"
    for file in (tmp_path / "run/config.yaml", state):
        file.write_text(file.read_text().replace("keep_last", "keep_checkpoints"))
    manifest = json.loads((state.parent / "manifest.json").read_text())
    told = {"bytes": state.stat().st_size, "sha256": hashlib.sha256(state.read_bytes()).hexdigest()}
    manifest["files"]["state.json"] = told
    (state.parent / "manifest.json").write_text(json.dumps(manifest))
    run(dataset, tmp_path / "run", "arch=dis", "max_steps=4")
    assert records(tmp_path / "run", "train")[-1]["step"] == 4
    with pytest.raises(UserError, match="say keep_last="):
        run(dataset, tmp_path / "other", "arch=dis", "keep_checkpoints=3")


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("compile=fast", "auto | off | max"),
        ("on_nonfinite=ignore", "stop | skip"),
        ("keep_best=accuracy", "exact_accuracy | cell_accuracy | lm_loss | ARC/pass@1"),
        ("keep_best=ARC/pass@3", "ARC/pass@2"),
        ("hang_timeout=0", "a number above 0"),
        ("keep_every=0", "at least 1"),
        ("gradient_accumulation_steps=3", "a divisor of 8"),
    ],
)
def test_what_the_engine_cannot_do_is_refused(override: str, text: str, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        run(dataset, tmp_path / "run", "arch=dis", override)
    assert text in str(told.value)
    assert not (tmp_path / "run").exists()
