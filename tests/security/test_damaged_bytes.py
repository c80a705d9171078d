"""Whatever bytes a file holds, its reader answers or refuses it: no exception of a parser below comes out."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.security.attempts import npy
from trm.errors import UserError
from trm_lab.files.config_files import read_config
from trm_lab.files.untrusted import load_json
from trm_lab.files.untrusted_arrays import load_arrays, map_array
from trm_lab.puzzles.layout import load_array
from trm_lab.runs.published_pickle import read_published
from trm_lab.runs.row_file import open_rows

DAMAGES = 300  # of each file
TOKENS = rb"""( ) [ { } ' " \ \U FFFFFFFF -1 e 1e999 nan !! & * % @ ` | ? 0x 0b _ . # L , :"""
PIECES = [*TOKENS.split(), b"\n", b"\0\xff"]
CONFIG = "arch:\n  a: 1.5e3\n  b: [1, 2, '\\x41']\n  c: \"\\x41\"\n  d: 2001-01-01\n  e: 0x1F\nseed: 0\n"
ARRAY = npy("(1,)", "'<i4'")


def load_text(file: Path) -> Any:
    return load_json(file, 1 << 20)


def load_npz(file: Path) -> Any:
    return load_arrays(file, {"a": "biufU"}, 1 << 20, 1 << 20)


def member_of(file: Path, name: str) -> bytes:
    with zipfile.ZipFile(file) as archive:
        return archive.read(name)


def archived(file: Path, member: str, content: bytes) -> None:
    """Replace a member of an archive, with its right checksum."""
    with zipfile.ZipFile(file) as archive:
        others = {name: archive.read(name) for name in archive.namelist() if name != member}
    with zipfile.ZipFile(file, "w") as archive:
        for name, other in {**others, member: content}.items():
            archive.writestr(name, other)


def saved_npz(file: Path) -> None:
    np.savez(file, a=np.array(["one", "two"]))


def saved_weights(file: Path) -> None:
    torch.save({"w": torch.ones(3, 4)}, file)


# the file's name, what writes it, its reader, and the member of the archive to damage, if any
FILES: list[tuple[str, Callable[[Path], object], Callable[[Path], Any], str | None]] = [
    ("a.npy", lambda file: file.write_bytes(ARRAY), map_array, None),
    ("a.npz", saved_npz, load_npz, None),
    ("b.npz", saved_npz, load_npz, "a.npy"),
    ("a.yaml", lambda file: file.write_text(CONFIG), read_config, None),
    ("a.json", lambda file: file.write_text('{"a": [1, 2.5, null, "x\\u0041"], "b": {"c": -1e5}}'), load_text, None),
    ("a.safetensors", lambda file: save_file({"w": torch.ones(3, 4)}, file), open_rows, None),
    ("a.pt", saved_weights, read_published, None),
    ("b.pt", saved_weights, read_published, "b/data.pkl"),
]


def damaged(content: bytes, draw: np.random.Generator) -> bytes:
    """The bytes with up to three pieces changed, inserted, deleted or overwritten, mostly near the beginning."""
    result = bytearray(content)
    for _ in range(draw.integers(1, 4)):
        place = int(draw.integers(min(len(result), 200 if draw.random() < 0.6 else len(result)) or 1))
        piece, kind = PIECES[draw.integers(len(PIECES))], draw.integers(4)
        replaced = (1, 0, int(draw.integers(1, 9)), len(piece))[kind]
        result[place : place + replaced] = (bytes([draw.integers(256)]), piece, b"", piece)[kind]
    return bytes(result)


@pytest.mark.parametrize(("name", "write", "read", "member"), FILES, ids=[entry[0] for entry in FILES])
def test_a_damaged_file_is_read_or_refused(
    name: str, write: Callable[[Path], object], read: Callable[[Path], Any], member: str | None, tmp_path: Path
) -> None:
    file, draw, refusals = tmp_path / name, np.random.default_rng(0), list[str]()
    write(file)
    read(file)
    whole = file.read_bytes() if member is None else member_of(file, member)
    for _ in range(DAMAGES):
        if member is None:
            file.unlink()  # a reader may have mapped it
            file.write_bytes(damaged(whole, draw))
        else:
            archived(file, member, damaged(whole, draw))
        try:
            read(file)
        except (ValueError, OSError) as error:
            refusals.append(str(error))
    assert len(refusals) > DAMAGES / 3
    assert all(refusals)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("(4,", "'<i4'"),  # at which Python's tokenizer raises an exception of its own
        ("(1,)", "'<M8[s/0]'"),  # at which numpy divides by zero, which ends the process
        ("(1,)", "'" + "(2,)" * 200 + "i4'"),
        ("(1,)", "'<U99999999999'"),
        ("(" + "9" * 5000 + ",)", "'<i4'"),
        ("(1,), " + "(" * 4000 + ")" * 4000, "'<i4'"),
    ],
)
def test_a_header_that_numpy_does_not_write_never_reaches_numpy(shape: str, kind: str, tmp_path: Path) -> None:
    file, archive = tmp_path / "a.npy", tmp_path / "a.npz"
    file.write_bytes(npy(shape, kind))
    saved_npz(archive)
    archived(archive, "a.npy", npy(shape, kind))
    with pytest.raises(UserError, match=r"a\.npy"):
        load_array(file, 1)
    with pytest.raises(ValueError, match="header of neither numbers nor texts"):
        load_npz(archive)


def test_a_character_beyond_unicode_in_a_configuration_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for character in (r"\UFFFFFFFF", r"\U00110000"):  # for Python an OverflowError and a ValueError
        file.write_text(f'a: "{character}"')
        with pytest.raises(UserError, match=r"config\.yaml"):
            read_config(file)


@pytest.mark.parametrize(
    "pickled", [b"K\x01Q", b"(K\x01tQ", b"ccollections\nOrderedDict\nK\x01\x85R", b"j\xff\xff\xff\xff"]
)
def test_a_pickle_that_torch_gives_up_on_is_refused(pickled: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    saved_weights(file)
    archived(file, "a/data.pkl", b"\x80\x02" + pickled + b".")
    with pytest.raises(UserError, match=r"a\.pt"):
        read_published(file)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "<i8", ">i4", "float16", ">f8", "bool", "<U3", ">U2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_of_numbers_and_texts_is_read(dtype: str, order: Any, tmp_path: Path) -> None:
    for shape in ((), (0,), (5,), (2, 3), (2, 0, 3)):
        written = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype), order=order)
        np.savez(tmp_path / "a.npz", a=written)
        loaded = load_npz(tmp_path / "a.npz")["a"]
        assert (loaded.dtype, loaded.shape, loaded.tolist()) == (written.dtype, written.shape, written.tolist())
        if written.dtype.kind in "iu":
            np.save(tmp_path / "a.npy", written)
            assert np.array_equal(map_array(tmp_path / "a.npy"), written)
