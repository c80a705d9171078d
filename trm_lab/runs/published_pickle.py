"""Weights in a file of `torch.save`, which a stranger may have written; nothing else here ever reads a pickle.

`torch.load(weights_only=True)` runs no code, but some of the classes that it allows take as much memory as the file
asks for: `bytearray(10**11)`, a tensor class with a size. So a file is refused whose pickle names anything else than
dictionaries and plain tensors. The rest is memory-mapped: a storage that is larger than the file gets no memory, and
a tensor outside of its storage is an error.
"""

import pickle
import pickletools
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trm.errors import UserError, shown
from trm_lab.files.untrusted import check_regular

PREFIX = "model.inner."  # before the names in published checkpoints
_PREFIXES = re.compile(r"^(module\.|_orig_mod\.)*(model\.inner\.)?")  # torch's wrappers put theirs before it
WRAPPERS = ("model", "state_dict", "model_state_dict", "module")  # keys under which trainers put the weights
WEIGHT_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LONGEST_NAME = 200
_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Byte", "Bool")),
}
_LARGEST_PICKLE = 1 << 20  # bytes; a state dict's has about 200 for each tensor
_MOST_MEMBERS = 10_000
_END_RECORD, _END_BYTES = b"PK\x05\x06", 22  # of a zip archive without a comment
# what zipfile, torch's unpickler and torch raise at a file that is not what it says
_UNREADABLE = (
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    OverflowError,
    struct.error,
)


def read_published(file: Path) -> dict[str, Tensor]:
    """The weights in a published checkpoint, by name without its prefix.

    Raises:
        UserError: not a file of `torch.save` with a dictionary of floating-point tensors.
        OSError: the file cannot be read.
    """
    try:
        member_sizes = _checked_members(file)
        content = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        weights = _state_dict(content)
        for name, tensor in weights.items():
            _check_weight(name, tensor, member_sizes)
    except _UNREADABLE as error:
        raise _unusable(file, shown(str(error).split("\n")[0])) from error
    by_name = {_PREFIXES.sub("", name): _in_memory(tensor) for name, tensor in weights.items()}
    if len(by_name) < len(weights):
        raise _unusable(file, "two tensors have the same name, apart from a prefix")
    return by_name


def _checked_members(file: Path) -> set[int]:
    """Sizes in bytes of the members of the archive, once its list of members and its pickle are harmless.

    torch has a reader of archives of its own. Where the two could read different members, the file is refused:
    something after the end, several members of one name.
    """
    size = check_regular(file)
    with file.open("rb") as stream:
        stream.seek(max(0, size - _END_BYTES))
        if not stream.read().startswith(_END_RECORD):
            raise ValueError("no archive of torch.save, or something after its end")
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if not 0 < len(members) <= _MOST_MEMBERS:
            raise ValueError(f"{len(members)} members in the archive")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise ValueError(f"{shown(member.filename)} is compressed, which torch.save never does")
        if sum(member.file_size for member in members) > size:
            raise ValueError(f"members of more bytes than the file's {size:,}")
        names = {member.filename.lower() for member in members}
        folders = {member.filename.split("/")[0] for member in members}
        if len(names) < len(members) or len(folders) > 1:
            raise ValueError("members of one name, or of several checkpoints")
        pickled = archive.getinfo(f"{folders.pop()}/data.pkl")
        if pickled.file_size > _LARGEST_PICKLE:
            raise ValueError("its data.pkl is too large for a dictionary of weights")
        _check_globals(archive.read(pickled))
        damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{shown(damaged)} differs from its checksum")
    return {member.file_size for member in members}


def _check_globals(pickled: bytes) -> None:
    """ValueError where a pickle names anything else than the parts of dictionaries and plain tensors."""
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name == "STACK_GLOBAL" or (operation.name == "GLOBAL" and argument not in _GLOBALS):
            raise ValueError(f"asks for {shown(argument)}, which is no part of a dictionary of tensors")


def _state_dict(content: Any) -> Mapping[str, Tensor]:
    """The dictionary of weights in what a file holds: itself, or what lies under one of `WRAPPERS`."""
    if not isinstance(content, Mapping) or not content:
        raise ValueError("not a dictionary of tensors")
    inside = [content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)]
    return _state_dict(inside[0]) if len(inside) == 1 else content


def _check_weight(name: Any, tensor: Any, member_sizes: set[int]) -> None:
    """ValueError for anything else than a named tensor of floats, whose storage is a whole member of the file."""
    if not isinstance(name, str) or not name.isprintable() or len(name) > LONGEST_NAME:
        raise ValueError(f"a tensor called {shown(name, 60) if isinstance(name, str) else type(name).__name__}")
    if not isinstance(tensor, Tensor):
        raise ValueError(f"not a dictionary of tensors: {shown(name)} is of type {type(tensor).__name__}")
    if tensor.dtype not in WEIGHT_DTYPES:
        raise ValueError(f"{shown(name)} is of {tensor.dtype}, and weights are floating-point numbers")
    storage_bytes = tensor.untyped_storage().nbytes()
    if storage_bytes not in member_sizes:
        raise ValueError(f"{shown(name)} declares {storage_bytes:,} bytes that the file does not hold")
    if not 0 < tensor.nbytes <= storage_bytes:  # a stride of 0 repeats a few numbers a trillion times
        raise ValueError(f"{shown(name)} of shape {tuple(tensor.shape)} in a storage of {storage_bytes:,} bytes")


def _in_memory(tensor: Tensor) -> Tensor:
    """A copy that outlives the file: to read a mapped tensor whose file was cut off ends the process."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _unusable(file: Path, problem: str) -> UserError:
    return UserError(
        f"{file}: {problem}",
        "a state dict of floating-point tensors by torch.save (1.6 or later) that loads with weights_only=True, "
        "or a checkpoint directory of ours",
        "check the file; it may be cut off, or a git-lfs pointer; do not use it if you do not know who made it",
    )
