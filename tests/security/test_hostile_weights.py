"""Checkpoints made to harm whoever loads them: each attempt is refused before it is given memory or run."""

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.exportable import random_dis, write_run
from tests.models import act, network
from tests.security.attempts import Traitor, little_room
from trm.errors import UserError
from trm_lab.runs.checkpoints import load_weights
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.published_pickle import read_published
from trm_lab.runs.weights import check_size, load_into

KEY = "model.inner.H_init"


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


def saved(file: Path, content: object) -> Path:
    torch.save(content, file)
    return file


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(file: Path, content: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file


def swapped(file: Path, old: bytes, new: bytes) -> Path:
    """A checkpoint with other bytes in its pickle."""
    whole = members(file)
    name = next(name for name in whole if name.endswith("data.pkl"))
    assert old in whole[name]
    return pack(file, {**whole, name: whole[name].replace(old, new)})


def plain(file: Path) -> Path:
    return saved(file, {KEY: torch.arange(12.0).reshape(3, 4)})


def refused(file: Path, problem: str) -> None:
    with little_room(), pytest.raises(UserError, match=problem) as caught:
        read_published(file)
    assert str(file) in caught.value.given
    assert len(caught.value.given) < 600


def test_dictionaries_of_tensors_are_read(tmp_path: Path) -> None:
    views = {"turned": torch.arange(6.0).reshape(2, 3).t(), "part": torch.arange(9.0)[3:5]}
    for content in (
        {KEY: torch.ones(3), "model.inner.half": torch.ones(2, 2, dtype=torch.bfloat16)},
        OrderedDict(a=torch.nn.Parameter(torch.ones(3))),
        views,
        {str(i): torch.ones(i + 1) for i in range(300)},
    ):
        weights = read_published(saved(tmp_path / "step_1", content))
        assert len(weights) == len(content)
        assert all(torch.equal(weights[k.removeprefix("model.inner.")], v) for k, v in content.items())


def test_weights_need_neither_the_gpu_that_wrote_them_nor_their_file_any_longer(tmp_path: Path) -> None:
    """To read a memory-mapped tensor whose file was cut off would end the process."""
    file = swapped(plain(tmp_path / "step_1"), b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    weights = read_published(file)
    os.truncate(file, 0)
    assert torch.equal(weights["H_init"], torch.arange(12.0).reshape(3, 4))
    assert weights["H_init"].device == torch.device("cpu")


def test_no_code_in_a_pickle_is_run(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    for number, content in enumerate((Traitor(harm), {KEY: Traitor(harm)}, [Traitor(harm)], {Traitor(harm): 1})):
        zipped = saved(tmp_path / f"zipped{number}", content)
        refused(zipped, "asks for posix mkdir")
        torch.save(content, tmp_path / "old", _use_new_zipfile_serialization=False)
        (tmp_path / "bare").write_bytes(pickle.dumps(content))
        for name in ("old", "bare"):
            refused(tmp_path / name, "no archive of torch.save")
    assert not harm.exists()
    torch.load(tmp_path / "zipped0", weights_only=False)  # it would have been
    assert harm.exists()


def test_nothing_but_a_tensor_that_the_file_holds_is_a_weight(tmp_path: Path) -> None:
    sparse = (torch.sparse_coo, (torch.zeros(1, 0), torch.zeros(0), (10**12,)))
    for value in (
        Call(bytearray, 10**11),
        Call(torch.FloatTensor, 10**10),
        Call(torch._utils._rebuild_sparse_tensor, *sparse),
        Call(torch.Size, [10**12]),
        Call(OrderedDict, [("a", 1)]),
        torch.zeros(1).expand(10**9),
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(0, 5),
        "text",
        {"inner": torch.ones(3)},
    ):
        refused(saved(tmp_path / "step_1", {KEY: value}), "step_1: ")


TENSORS = [
    (b"K\x0ct", b"J\xff\xff\xff\x7ft", "bytes that the file does not hold"),  # elements of the storage
    (b"K\x0ct", b"K\x0dt", "declares 52 bytes that the file does not hold"),
    (b"K\x0ct", b"J\xff\xff\xff\xfft", "step_1: "),
    (b"X\x01\x00\x00\x000", b"X\x0b\x00\x00\x00../../hosts", "file not found"),  # record of the storage
    (b"K\x03K\x04\x86", b"J\xff\xff\xff\x7fK\x04\x86", "step_1: "),  # shape
    (b"K\x03K\x04\x86", b"J\xff\xff\xff\xffK\x04\x86", "step_1: "),
    (b"K\x04K\x01\x86", b"K\x7fK\x01\x86", "step_1: "),  # strides
    (b"K\x04K\x01\x86", b"J\xff\xff\xff\xffK\x01\x86", "step_1: "),
    (b"QK\x00", b"QK\x09", "step_1: "),  # offset
    (b"QK\x00", b"QJ\xff\xff\xff\xff", "step_1: "),
    (b"torch\nFloatStorage", b"torch\nIntStorage", "is of torch.int32"),
    (b"torch\nFloatStorage", b"torch\nShortStorage", "asks for torch ShortStorage"),
]


def test_a_tensor_lies_in_a_record_of_its_size(tmp_path: Path) -> None:
    for old, new, problem in TENSORS:
        refused(swapped(plain(tmp_path / "step_1"), old, new), problem)


def test_pickle_bombs_are_refused_in_bounded_time(tmp_path: Path) -> None:
    doubled = b"".join(b"h%cK\x00\x86q%c" % (i, i + 1) for i in range(40))  # each a pair of the one before
    twice = b"".join(b"h%ch%c\x86q%c0" % (i, i, i + 1) for i in range(40))
    whole = members(plain(tmp_path / "step_1"))
    name = next(name for name in whole if name.endswith("data.pkl"))
    pickles = [
        b"\x80\x02}q\x00)q\x00" + twice + b".",
        b"\x80\x02}X\x01\x00\x00\x00a)q\x00" + twice + b"h\x28s.",  # {"a": 2^40 empty tuples}
        b"\x80\x02)q\x00" + doubled + b".",
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02}r\xff\xff\xff\xff.",
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".",
        b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b".",
        b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.",  # a dictionary that holds itself
        b"h\x05.",
        b"R.",
        b"",
        b"}" * (2 << 20) + b".",
        b"cos\nsystem\n(S'true'\ntR.",
    ]
    for number, bomb in enumerate(pickles):
        refused(pack(tmp_path / f"bomb_{number}", {**whole, name: bomb}), f"bomb_{number}: ")


def test_zip_bombs_are_refused(tmp_path: Path) -> None:
    whole = members(plain(tmp_path / "step_1"))
    many = {**whole, **{f"step_1/{i}": b"" for i in range(10_001)}}
    refused(pack(tmp_path / "deflated", whole, zipfile.ZIP_DEFLATED), "is compressed")
    refused(pack(tmp_path / "many", many), "members in the")
    refused(pack(tmp_path / "two", {**whole, "other/data.pkl": b"."}), "of several checkpoints")
    refused(pack(tmp_path / "case", {**whole, "step_1/DATA.pkl": b"."}), "members of one name")
    refused(pack(tmp_path / "climbs", {"../data.pkl": b".", "../data/0": b""}), "climbs: ")
    refused(pack(tmp_path / "empty", {}), "0 members")
    data = (tmp_path / "step_1").read_bytes()
    (tmp_path / "tail").write_bytes(data + b"\0" * 9)
    refused(tmp_path / "tail", "something after its end")
    (tmp_path / "cut").write_bytes(data[:-30])
    refused(tmp_path / "cut", "cut: ")
    number = data.index(struct.pack("<f", 7.0))
    (tmp_path / "flipped").write_bytes(data[:number] + b"\1" + data[number + 1 :])
    refused(tmp_path / "flipped", "differs from its checksum|Bad CRC")


def test_members_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    """A thousand entries of the list of members point at the same megabyte."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("step_1/data.pkl", b".")
        archive.writestr("step_1/data/0", b"\0" * (1 << 20))
        first = archive.infolist()[1]
        for number in range(1, 1000):
            copy = zipfile.ZipInfo(f"step_1/data/{number}")
            for key in ("header_offset", "CRC", "compress_size", "file_size"):
                setattr(copy, key, getattr(first, key))
            archive.filelist.append(copy)
    (tmp_path / "step_1").write_bytes(stream.getvalue())
    refused(tmp_path / "step_1", "members of more bytes than the file")


def test_pipes_and_devices_are_not_waited_for_and_names_move_no_cursor(tmp_path: Path) -> None:
    refused(saved(tmp_path / "step_1", {"\x1b]0;owned\x07": torch.ones(1)}), r"\\x1b")
    refused(saved(tmp_path / "step_1", {"a" * 1000: torch.ones(1)}), "a tensor called")
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        refused(file, "no regular file")


def test_a_thousand_unknown_tensors_do_not_fill_the_screen() -> None:
    model = act().model
    strange = {**model.state_dict(), **{f"x{i}": torch.ones(1) for i in range(1000)}}
    with pytest.raises(UserError, match="and 990 more") as caught:
        load_into(model, strange, "theirs")
    assert caught.value.given.count(";") == 10


def test_a_configuration_cannot_ask_for_a_network_much_larger_than_its_weights() -> None:
    weights = act().model.state_dict()
    check_size(network(), weights, "theirs")
    sizes: dict[str, float] = {"hidden_size": 10**6, "L_layers": 10**6, "puzzle_emb_ndim": 32}
    cycles = {"H_cycles": 10**9, "L_cycles": 10**9}
    for key, value in {**sizes, **cycles, "puzzle_emb_len": 10**9, "expansion": 1e9}.items():
        with pytest.raises(UserError):  # by its range, or by the weights
            check_size(network(**{key: value}), weights, "theirs")
    with pytest.raises(UserError):
        check_size(network(expansion=float("nan")), weights, "theirs")


def test_a_stranger_s_configuration_is_held_to_the_ranges_of_ours(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", random_dis())
    state = load_weights(run / "checkpoints/step_12")
    (tmp_path / "published").mkdir()
    file = saved(tmp_path / "published/step_12", {f"model.inner.{k}": v for k, v in state.items()})
    config = (run / "config.yaml").read_text()
    assert "halt_max_steps: 3" in config
    changed = config.replace("halt_max_steps: 3", "halt_max_steps: 1000000000")
    (file.parent / "all_config.yaml").write_text(changed)
    with pytest.raises(UserError, match=r"arch\.halt_max_steps=1000000000 in the configuration of"):
        open_checkpoint(file)
