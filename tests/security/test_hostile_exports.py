"""Exported folders and repositories made to harm whoever opens them: refused before they are given memory."""

import json
import os
import struct
from pathlib import Path

import pytest

from tests.exportable import random_dis, write_run
from tests.security.attempts import little_room
from trm.errors import UserError
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs.opened_checkpoint import open_checkpoint


def header(content: object, body: bytes = b"") -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensor(dtype: str, shape: list[int], end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    run = write_run(tmp_path / "run", random_dis())
    export(ExportRequest(str(run), "hub", tmp_path / "out"))
    return tmp_path / "out"


def refused(folder: Path) -> str:
    with little_room(), pytest.raises(UserError) as caught:
        open_checkpoint(folder)
    assert len(caught.value.given) < 1000
    assert caught.value.given.isprintable()
    return caught.value.given


def test_what_a_header_declares_is_held_against_the_file(exported: Path) -> None:
    """What of this is damage in any safetensors file, `test_checkpoint_damage.py` tests as well."""
    for content in (
        b"",
        struct.pack("<Q", 1 << 62) + b"{}",
        header(b"[" * 100_000),
        header({"H_init": tensor("F32", [10**12], 4 * 10**12)}),
        header({"H_init": tensor("F32", [2**62, 4], 0)}),
        header({"H_init": tensor("X9", [1], 4)}, b"0000"),
        header({"H_init": tensor("F6_E2M3", [4], 3)}, b"000"),
        header({"H_init": tensor("F8_E8M0", [4], 4)}, b"0000"),
        header({"H_init": tensor("I64", [1], 8)}, b"00000000"),
        header({"H_init": tensor("F32", [0, 5], 0)}),
        header({"\x1b]0;owned\x07": tensor("F32", [1], 4)}, b"0000"),
        header({"a" * 1000: tensor("F32", [1], 4)}, b"0000"),
    ):
        (exported / "model.safetensors").write_bytes(content)
        assert "model.safetensors: " in refused(exported)


def test_a_configuration_is_only_ever_data(exported: Path) -> None:
    for text, problem in {
        "arch: ${oc.env:SECRET}\nglobal_batch_size: 1": "interpolation",
        "a: &a [1]\narch: {b: *a}\nglobal_batch_size: 1": "alias",
        "arch: !!python/name:os.system\nglobal_batch_size: 1": "tag",
        "arch: 7\nglobal_batch_size: 1": "arch=7",
        "arch: {supervision: act}\nglobal_batch_size: [1]": "global_batch_size=",
        "- 1": "not a mapping",
    }.items():
        (exported / "config.yaml").write_text(text)
        assert problem in refused(exported)


def test_a_configuration_cannot_ask_for_a_sequence_of_any_length(exported: Path) -> None:
    config = (exported / "config.yaml").read_text()
    request = ExportRequest(str(exported), "published", exported.with_name("again"))
    for tokens in (10**12, -1):
        (exported / "config.yaml").write_text(config.replace("seq_len: 16", f"seq_len: {tokens}"))
        with little_room(), pytest.raises(UserError, match=f"seq_len={tokens}"):
            export(request)


def test_pipes_are_not_waited_for(exported: Path) -> None:
    for name in ("model.safetensors", "config.yaml"):
        (exported / name).unlink()
        os.mkfifo(exported / name)
        assert "no checkpoint at" in refused(exported)


def test_an_export_tells_its_step_whatever_its_folder_is_called(exported: Path) -> None:
    assert open_checkpoint(exported.rename(exported.with_name("model_7"))).step == 12
