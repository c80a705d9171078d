"""A run directory as the trainer writes it, made of invented numbers. S supervision steps."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from dis_trm.supervision import DISConfig
from tests.analysis.small_puzzles import PUZZLES, SmallPuzzle
from trm.act import ACTConfig
from trm.model import TRMConfig
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.puzzles.arc.grids import encode_pair
from trm_lab.runs.arc_outputs import OutputRecord, VotingResult

TASKS = 43
CANVAS = 14
Json = dict[str, Any]


def write_run(
    folder: Path,
    supervision: str = "dis",
    steps: int = 6,
    calls_per_step: int = 3,
    seed: int = 0,
    arc: bool = True,
    training_steps: int = 12_000,
    puzzles: Sequence[str] = (),
    protocol: str = "clean",
    skill: float = 1.0,
    arch: Mapping[str, Any] | None = None,
    joules: float | None = None,
    changes: Mapping[str, Any] | None = None,
    device: str = "NVIDIA H100",
) -> Path:
    """Write a run of `training_steps` steps with four evaluations; return `folder`.

    puzzles: kinds of `small_puzzles.PUZZLES`, a dataset of each; samples are of the first.
    skill: how many of its cells and whole examples it gets right, times what others do.
    joules: of each training record.  arch, changes: further settings of the network and supervision, and of the run.
    device: as provenance.json names it.
    """
    evaluations = [
        _scores(supervision, steps, calls_per_step, seed, arc, training_steps * part // 4, skill * part / 4)
        for part in range(1, 5)
    ]
    for part, scores in enumerate(evaluations, start=1):
        scores["tasks"] = [_task(kind, protocol, steps, part) for kind in puzzles]
    folder.mkdir(parents=True)
    config = _config(supervision, steps, calls_per_step, seed, arch or {}) | dict(changes or {})
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    launch = {"command": ["make", "demo"], "device": device, "ranks": 1}
    (folder / "provenance.json").write_text(json.dumps({"launches": [launch]}))
    records = _training(steps, calls_per_step, seed, training_steps, joules)
    records += [{"kind": "evaluation", "step": scores["step"], "scores": scores} for scores in evaluations]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for scores in evaluations:
        evaluation = folder / f"evaluations/step_{scores['step']}"
        _write_evaluation(evaluation, scores, steps, seed)
        if puzzles:
            stored = puzzle_samples(PUZZLES[puzzles[0]], steps)
            np.savez(evaluation / "rollout_samples.npz", allow_pickle=False, **stored)
    return folder


def stopped(run: Path, step: int) -> Path:
    """Make the run what it was when this step had been evaluated; return it."""
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    keep = [line for line in lines if json.loads(line)["step"] <= step]
    (run / "metrics.jsonl").write_text("".join(keep))
    for folder in run.glob("evaluations/step_*"):
        if int(folder.name.removeprefix("step_")) > step:
            shutil.rmtree(folder)
    return run


def _config(supervision: str, steps: int, calls_per_step: int, seed: int, arch: Mapping[str, Any]) -> Json:
    """Everything that config.yaml of a run says, of a network of width 32."""
    settings = DISConfig(steps) if supervision == "dis" else ACTConfig(steps)
    cycles = (1, calls_per_step - 1) if calls_per_step < 20 else (3, calls_per_step // 3 - 1)
    shape = {"hidden_size": 32, "num_heads": 2, "L_layers": 1, "puzzle_emb_ndim": 32, "puzzle_emb_len": 1}
    network = TRMConfig(H_cycles=cycles[0], L_cycles=cycles[1], forward_dtype="float32", **shape)
    config = TrainConfig(
        arch={"supervision": supervision, **asdict(network), **asdict(settings), **arch},
        data_paths=["data/demo"], run_name=f"demo-{supervision}", seed=seed, global_batch_size=32, epochs=600,
        eval_interval=150,
    )  # fmt: skip
    return asdict(config)


def _training(steps: int, calls_per_step: int, seed: int, training_steps: int, joules: float | None) -> list[Json]:
    rng = np.random.default_rng(seed)
    energy = {} if joules is None else {"energy_joules": joules}
    records = []
    for step in range(20, training_steps + 1, 20):
        learned = 1 - np.exp(-3 * step / training_steps)
        growing = 0.3 + learned * (0.35 + 0.25 * np.arange(steps) / steps) + rng.normal(0, 0.02, steps)
        accuracy = growing.tolist() if step > 20 else [growing[0], *[None] * (steps - 1)]
        loss = float(2.2 * np.exp(-3 * step / training_steps) + 0.15 + abs(rng.normal(0, 0.12)))
        timing = {"seconds": 1.2, "examples_per_second": 533.0, **energy}
        records.append(
            {
                "kind": "train", "step": step, "epoch": step / 40, "network_calls": calls_per_step, "lr": 1e-4,
                "loss": loss, "metrics": {}, "step_accuracy": accuracy, "timing": timing,
            }
        )  # fmt: skip
    return records


def _scores(
    supervision: str, steps: int, calls_per_step: int, seed: int, arc: bool, step: int, progress: float
) -> Json:
    index = np.arange(1, steps + 1)
    right_at_1, right_at_2 = round(12 * progress), round(15 * progress)
    scores: Json = {
        "step": step, "method": supervision, "supervision": supervision, "seed": seed, "examples": 1376,
        "network_calls_per_answer": steps * calls_per_step,
        "per_step": _per_step(
            cell_accuracy=np.minimum(0.55 + 0.33 * progress * (1 - np.exp(-4 * index / steps)), 0.99),
            exact_accuracy=0.3 * progress * (index / steps) ** 2,
            hamming=16 * (1 - progress * index / steps / 2),
            network_calls=calls_per_step * index,
        ),
        "lm_loss": 0.4,
        "copy": {"cell_accuracy": 0.712, "exact_accuracy": 0.0},
        "examples_per_second": 1523.4,
    }  # fmt: skip
    if arc:
        scores["scores"] = {
            **{f"ARC/pass@{k}": min(1.0, right_at_1 / 45 * k**0.2) for k in (1, 2, 5, 10, 100, 1000)},
            "ARC/prize_score": right_at_2 / 45,
        }
        scores["counts"] = _counts(right_at_1, right_at_2)
        scores["copy"] |= {"scores": {"ARC/pass@1": 0.0, "ARC/pass@2": 0.0}, "counts": _counts(0, 0)}
        scores["votes_ranked_by"] = "count, then mean token log-probability"
    return scores


def _per_step(**values: NDArray[Any]) -> Json:
    changed = 0.3 / np.arange(2, len(values["hamming"]) + 1)
    return {name: array.tolist() for name, array in {**values, "changed": changed}.items()}


def _counts(right_at_1: int, right_at_2: int) -> Json:
    right = {"outputs_correct@1": right_at_1, "outputs_correct@2": right_at_2}
    return {"tasks": TASKS, "outputs": 45, **right}


def write_scored(
    run: Path,
    name: str = "step_400",
    steps: int | None = None,
    guidance: Sequence[float] = (),
    margin: bool = False,
    part: int | None = None,
    skill: float = 1.0,
    joules: float | None = None,
    device: str = "cuda",
) -> Path:
    """Write what `python evaluate.py RUN [--steps N] [--guidance W …] [--margin]` leaves; return its folder.

    part: the first so many tasks only.  joules: of an answer.  device: its kind.
    """
    latest = max(run.glob("evaluations/step_*"), key=lambda folder: int(folder.name.removeprefix("step_")))
    scores = json.loads((latest / "scores.json").read_text())
    trained, calls = len(scores["per_step"]["network_calls"]), scores["per_step"]["network_calls"][0]
    count = steps or trained
    index = np.arange(1, count + 1)
    exact = scores["per_step"]["exact_accuracy"][-1] * skill * (index / count) ** 2
    cells = scores["per_step"]["cell_accuracy"][-1] - 0.2 * (1 - index / count)
    scores["per_step"] = _per_step(
        cell_accuracy=cells, exact_accuracy=exact, hamming=8 / index, network_calls=calls * index
    )
    first = np.diff(np.round(1000 * exact), prepend=0).astype(int)
    scores["network_calls_per_answer"] = calls * count
    scores["over_steps"] = {
        "first_right": [1000 - int(first.sum()), *first.tolist()], "stayed_right": [0, *first.tolist()],
        "fixed_late": 120, "broken_late": 7,
    }  # fmt: skip
    points = _points("fixed", range(1, count + 1), exact, cells, calls * index)
    points += _points("agreement", (1, 2), exact[[0, -1]], cells[[0, -1]], [calls * 1.5, calls * 2.5])
    points += _points("confidence", (0.5, 0.9), exact[[0, -1]], cells[[0, -1]], [calls * 1.2, calls * 2.2])
    oracle = _points("oracle", [None], [exact[-1] * 1.1], [cells[-1]], [calls * 1.7])
    scores["halting"] = {"examples": 1000, "points": points + oracle, "best_reachable": oracle[0]}
    for w in guidance:
        cells_at_w, exact_at_w = cells * (1 - 0.02 * (w - 1) ** 2), exact * (1 - 0.1 * (w - 1) ** 2)
        shares = {"cell_accuracy": cells_at_w.tolist(), "exact_accuracy": exact_at_w.tolist()}
        scores.setdefault("guidance", {})[str(float(w))] = shares
    if margin:
        positive = (0.5 + 0.4 / index).tolist()
        against = {"examples": 1000, "before": (2 / index).tolist(), "after": (2 / (index + 1)).tolist()}
        against |= {"cells_improved": positive, "examples_improved": positive}
        scores["improvement"] = dict.fromkeys(("answer", "target", "trained_answer", "trained_target"), against)
        scores["margin"] = {"tokens": 9000, "mean": (0.5 / index**2).tolist(), "share_positive": positive}
    scores["cost"] = {
        "network_calls": calls * count, "operations": 1_000_000 * calls * count, "seconds": 0.001 * count,
        "ranks": 1, "device": device, **({} if joules is None else {"joules": joules}),
    }  # fmt: skip
    data = {"name": "demo", "version": 1, "protocol": "clean", "fingerprint": "0" * 64, "split": "test"}
    scores["datasets"] = [data | {"path": "data/demo"}]
    scores["evaluated"] = {
        "target": str(run), "weights": "auto", "data_paths": ["data/demo"], "tasks": None, "first_tasks": part,
        "augmentations": None, "supervision_steps": steps, "identifiers": "correct",
    }  # fmt: skip
    scores["confidence_kind"] = "token_log_probability"
    folder = run / "scored" / name
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps(scores))
    _write_examples(folder, exact[-1], scores["seed"])
    return folder


def _points(policy: str, settings: Sequence[float | None] | range, exact: Any, cells: Any, calls: Any) -> list[Json]:
    return [
        {
            "policy": policy, "setting": setting, "exact_accuracy": float(right), "cell_accuracy": float(share),
            "network_calls": float(spent), "steps": float(spent) / 3,
        }
        for setting, right, share, spent in zip(settings, exact, cells, calls, strict=True)
    ]  # fmt: skip


def _write_examples(folder: Path, right: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = np.array([f"all/{number}" for number in range(1, 401)])
    np.savez(folder / "examples.npz", allow_pickle=False, key=keys, right=rng.random(400) < right)


def _task(kind: str, protocol: str, steps: int, part: int) -> Json:
    """Of 40 examples more are solved at each step and at each evaluation (`part`): 5 · part after the last step."""
    solved = [5 * part * step // steps for step in range(1, steps + 1)]
    return {
        "dataset": f"small-{kind}", "version": 1, "protocol": protocol, "facts": PUZZLES[kind].facts,
        "scorer": kind, "examples": 40, "verdicts": {"well_formed": 40, "solved": solved[-1]},
        "solved_per_step": solved,
    }  # fmt: skip


def puzzle_samples(puzzle: SmallPuzzle, steps: int, count: int = 10) -> dict[str, NDArray[Any]]:
    """Arrays of rollout_samples.npz: of each three samples one is right from the second step on, two never."""
    right = np.arange(count) % 3 == 1
    shown_right = right[:, None] & (np.arange(steps) > 0)  # [N, S]
    preds = np.where(shown_right[:, :, None], puzzle.right, puzzle.wrong)
    return {
        "names": np.array([f"example {number}" for number in range(1, count + 1)]),
        "inputs": np.stack([puzzle.inputs] * count),
        "labels": np.stack([puzzle.labels] * count),
        "preds": preds,
    }


def _write_evaluation(folder: Path, scores: Json, steps: int, seed: int) -> None:
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps(scores))
    if "scores" in scores:
        np.savez(folder / "rollout_samples.npz", allow_pickle=False, **samples(steps, seed))
        VotingResult({}, {}, {}, _outputs(scores["counts"])).write(folder)


def _outputs(counts: dict[str, int]) -> list[OutputRecord]:
    ranks = [1] * counts["outputs_correct@1"]
    ranks += [2] * (counts["outputs_correct@2"] - len(ranks))
    return [
        OutputRecord(f"task{index % TASKS}", index // TASKS, True, rank, 32, 5, 20, -0.1)
        for index, rank in enumerate([*ranks, *[None] * (counts["outputs"] - len(ranks))])
    ]


def samples(steps: int, seed: int, count: int = 12) -> dict[str, NDArray[Any]]:
    """Arrays of rollout_samples.npz: answers revealed over the question; every third sample stays wrong."""
    rng = np.random.default_rng(seed)
    pairs = [_pair(rng) for _ in range(count)]
    inputs = np.stack([question for question, _ in pairs])
    answers = np.stack([answer for _, answer in pairs])
    reveal = rng.random((count, CANVAS * CANVAS)) * np.where(np.arange(count) % 3 == 1, 1.15, 0.99)[:, None]
    shown = np.arange(1, steps + 1) / steps  # [S]
    preds = np.where(reveal[:, None] <= shown[None, :, None], answers[:, None], inputs[:, None])
    return {
        "names": np.array([f"{rng.integers(16**8):08x}" for _ in range(count)]),
        "inputs": inputs,
        "labels": np.where(answers == 0, -100, answers.astype(np.int64)),
        "preds": preds.astype(np.uint8),
    }


def _pair(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    height, width = rng.integers(4, CANVAS, 2)
    question = np.where(rng.random((height, width)) < 0.35, rng.integers(1, 10, (height, width)), 0)
    answer = np.flip(question, 1)[: max(3, height - rng.integers(0, 3))]
    return encode_pair(question.astype(np.uint8), answer.astype(np.uint8), canvas=CANVAS)
