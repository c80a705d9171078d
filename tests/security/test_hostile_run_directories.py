"""Run directories and configurations made to harm whoever reports on them or evaluates them."""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.summary import summary
from tests.analysis.synthetic_run import write_run
from tests.security.attempts import Traitor, change_json, little_room, npy
from trm.errors import UserError
from trm_lab.files.config_files import read_config
from trm_lab.files.untrusted_arrays import load_arrays
from trm_lab.runs.recorded_run import read_run

Damage = Callable[[Path], object]
EVALUATION = "evaluations/step_400"
CURSOR = "\x1b]0;owned\x07\x1b[2J"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run", training_steps=400, puzzles=["queens"])


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "run")


def refused(run: Path, problem: str) -> None:
    with little_room(), pytest.raises(UserError, match=problem) as caught:
        read_run(run)
    assert len(caught.value.given) < 800
    assert "\x1b" not in caught.value.given


CONFIGURATIONS = {
    "arch: {key: '${oc.env:SECRET}'}": "interpolation",
    'arch: "\\x24{oc.env:SECRET}"': "interpolation",
    "a: &a [x]\n" + "".join(f"b{i}: &b{i} [{'*a,' * 9}]\n" for i in range(9)): "alias",
    "a: !!python/object/apply:os.system ['true']": "tag",
    "a: " + "[" * 5000: "in each other",
    "a: " + "1" * 10_000: "config.yaml: ",
    "a" * (1 << 19): "bytes, more than",
    "[1, 2]": "not a mapping",
    "a: b: c": "config.yaml: ",
    f"a: {CURSOR}": "config.yaml: ",
}


def test_a_configuration_neither_reads_the_environment_nor_grows(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "the password")
    for text, problem in CONFIGURATIONS.items():
        (run / "config.yaml").write_text(text)
        with little_room(), pytest.raises(UserError, match=problem) as caught:
            read_config(run / "config.yaml")
        assert "the password" not in str(caught.value)
    refused(run, "config.yaml: ")


def test_a_configuration_is_read_as_hydra_would(tmp_path: Path) -> None:
    lines = ["lr: 1e-4", "arch: {L_layers: 2, name: 'a:b'}", "empty: null", "list: [true]"]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    expected = {"lr": 1e-4, "arch": {"L_layers": 2, "name": "a:b"}, "empty": None, "list": [True]}
    assert read_config(tmp_path / "config.yaml") == expected


def change(**values: object) -> Damage:
    return lambda run: change_json(run / EVALUATION / "scores.json", **values)


def change_task(**values: object) -> Damage:
    def damage(run: Path) -> None:
        (task,) = json.loads((run / EVALUATION / "scores.json").read_text())["tasks"]
        change(tasks=[{**task, **values}])(run)

    return damage


def line(text: str) -> Damage:
    def damage(run: Path) -> None:
        with (run / "metrics.jsonl").open("a") as stream:
            stream.write(text + "\n")

    return damage


def train_line(**values: object) -> Damage:
    timing = {"seconds": 1.0, "examples_per_second": 1.0}
    record = {"kind": "train", "step": 401, "loss": 1.0, "step_accuracy": [1.0], "timing": timing}
    return line(json.dumps({**record, **values}))


def text_file(name: str, content: str) -> Damage:
    return lambda run: (run / name).write_text(content)


def pipe(run: Path) -> None:
    (run / "provenance.json").unlink()
    os.mkfifo(run / "provenance.json")


DEEP = "[" * 200_000
PER_STEP: dict[str, Any] = {"cell_accuracy": [0.5], "exact_accuracy": [0.5], "network_calls": [1]}


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (line(DEEP), "nested too deeply"),
        (line('{"kind": "train", "step": 1' + "0" * 9999 + "}"), "is not JSON"),
        (line('"' + "a" * (1 << 21) + '"'), "more than 1,048,576 characters"),
        (train_line(step_accuracy=[None] * 10_000), "supervision steps"),
        (train_line(step=10**30), "something else than numbers"),
        (line('{"kind": "evaluation", "step": 9, "scores": 3}'), "no record of an evaluation"),
        (line('{"kind": "evaluation", "step": ["' + "a" * 9999 + '"], "scores": {}}'), "has no key"),
        (text_file("provenance.json", DEEP), "nested too deeply"),
        (lambda run: os.truncate(run / "metrics.jsonl", 1 << 40), "bytes, more than"),
        (pipe, "has no provenance.json"),
        (change(examples_per_second=10**400), "no number"),
        (change(method=[CURSOR]), "no text"),
        (change(per_step={**PER_STEP, "cell_accuracy": [0.5] * 5000}), "no list of at most"),
        (change(per_step={**PER_STEP, "cell_accuracy": []}), "other numbers of supervision steps"),
        (change(tasks=[3]), "has tasks=3, no mapping"),
        (change_task(facts={"side": 10**9}), "facts say side="),
        (change_task(facts={"side": 4, "best_exact_match": [CURSOR]}), "has best_exact_match="),
        (change_task(solved_per_step=[[1]]), "no whole number"),
        (text_file(f"{EVALUATION}/outputs.jsonl", DEEP + "\n"), "nested too deeply"),
        (text_file(f"{EVALUATION}/outputs.jsonl", '{"task": 3}\n'), "no text"),
    ],
)
def test_a_run_that_would_fill_memory_or_stack_is_refused(run: Path, damage: Damage, problem: str) -> None:
    damage(run)
    refused(run, problem)


def as_npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def pack(file: Path, arrays: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)


ARRAYS = {
    npy("(1000000000000, 16)", "'|u1'", b""): "declares more or less",
    npy("(-1, 16)", "'|u1'", b""): "header of neither numbers nor texts",
    npy("(1,)", "'<U1000000000'", b""): r".",
    npy("(1, 16)", "'|O'", b""): "header of neither numbers nor texts",
    npy("(1,), " + "(" * 4000 + ")" * 4000, "'<U1'", b""): r".",
    npy("(1,)", "'<U1'", (0x110000).to_bytes(4, "little")): "characters that there are not",
    npy("(1,)", "'>U1'", b"\x00\x11\x00\x00"): "characters that there are not",
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff{": "format version",
    as_npy(np.zeros((1, 100 << 20), np.uint8)): "bytes, more than",
    as_npy(np.ones((1, 16))): "an array of float64",
    b"text": r".",
}


def test_arrays_that_declare_or_unpack_to_more_than_they_are_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "arrays.npz"
    for content, problem in ARRAYS.items():
        pack(file, {"a": content})
        with little_room(), pytest.raises(ValueError, match=problem):
            load_arrays(file, {"a": "Uiu"}, 64 << 20, 64 << 20)
    pack(file, {"a": as_npy(np.ones(1, int))}, zipfile.ZIP_LZMA)
    with pytest.raises(ValueError, match="packed otherwise"):
        load_arrays(file, {"a": "i"}, 64 << 20, 64 << 20)
    file.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"."):
        load_arrays(file, {"a": "i"}, 64 << 20, 64 << 20)


def test_samples_are_tokens_that_belong_together_and_pickles_in_them_are_not_run(run: Path, tmp_path: Path) -> None:
    file, harm = run / EVALUATION / "rollout_samples.npz", tmp_path / "harm"
    usable = {
        "names": as_npy(np.array(["a"])),
        "inputs": as_npy(np.ones((1, 16), np.uint8)),
        "labels": as_npy(np.ones((1, 16), np.int64)),
        "preds": as_npy(np.ones((1, 2, 16), np.uint8)),
    }
    pack(file, usable)
    assert read_run(run).samples is not None
    attempts: dict[str, tuple[str, Any]] = {
        "do not belong together": ("inputs", np.ones((2, 16), np.uint8)),
        "arrays that do not": ("preds", np.ones((1, 0, 16), np.uint8)),
        "tokens that no vocabulary": ("inputs", np.full((1, 16), 1 << 16)),
        "no vocabulary holds": ("preds", np.full((1, 2, 16), -1)),
        "an array of float64": ("labels", np.ones((1, 16))),
        "neither numbers nor texts": ("names", np.array([Traitor(harm)], dtype=object)),
    }
    for problem, (name, array) in attempts.items():
        pack(file, {**usable, name: as_npy(array)})
        refused(run, f"rollout_samples.npz.*{problem}")
    assert not harm.exists()


def test_a_report_prints_no_sequence_that_moves_a_terminal_s_cursor(run: Path) -> None:
    config = json.dumps({"run_name": CURSOR, "seed": 0})
    (run / "config.yaml").write_text(config)
    change(method=CURSOR, votes_ranked_by=CURSOR)(run)
    change_task(dataset=CURSOR, protocol=CURSOR, verdicts={"solved": 1, CURSOR: 2})(run)
    report = summary(read_run(run))
    assert "owned" in report
    assert all(character.isprintable() or character == "\n" for character in report)
