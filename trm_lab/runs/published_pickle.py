"""What a published checkpoint declares, read without running any of its pickle and without making a tensor.

`torch.load(weights_only=True)` runs no code, but it makes what it is told to: `bytearray(10**11)`, a tensor class
with a size, or in some versions a storage larger than its record. So the pickle is walked here first, as a list of
symbols: it may hold a dictionary of tensors, perhaps inside another one with numbers, texts and an optimizer's state
beside it, and nothing else; and every storage has exactly the bytes of a record that lies uncompressed in the file.
"""

import math
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm.errors import shown
from trm_lab.files.untrusted import check_regular

ELEMENT_BYTES = {  # of the storages that weights are kept in
    "torch FloatStorage": 4,
    "torch DoubleStorage": 8,
    "torch HalfStorage": 2,
    "torch BFloat16Storage": 2,
}
_OTHER_BYTES = {  # of what lies beside weights: counters, the state of a generator
    "torch LongStorage": 8,
    "torch IntStorage": 4,
    "torch ByteStorage": 1,
    "torch BoolStorage": 1,
}
_STORAGES = ELEMENT_BYTES | _OTHER_BYTES
_DICTIONARY, _TENSOR, _PARAMETER = (
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
)
_GLOBALS = {*_STORAGES, _DICTIONARY, _TENSOR, _PARAMETER}
WRAPPERS = ("model", "state_dict", "model_state_dict", "module")  # under which trainers put the weights
_LARGEST_PICKLE = 1 << 20  # bytes; a state dict's has about 200 for each tensor
_MOST_MEMBERS = 10_000
_LONGEST_NAME = 200
_MOST_SIDES = 8
_END_RECORD, _END_BYTES = b"PK\x05\x06", 22


@dataclass(frozen=True)
class Declared:
    """A tensor: its shape, the record that holds its elements, the bytes that this must have; `floating`: of floats."""

    shape: tuple[int, ...]
    record: str
    record_bytes: int
    floating: bool


@dataclass(frozen=True)
class _Symbol:
    """What a pickle names: a global, or a storage (the name of its class, its record, its elements)."""

    name: str
    record: str = ""
    elements: int = 0


class _Mark:
    """Where a tuple or the items of a dictionary begin."""


def declared_tensors(file: Path) -> dict[str, Declared]:
    """The tensors of a checkpoint file by name; nothing larger than the file is allocated.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no archive of `torch.save`, or declares anything but tensors that it holds.
    """
    size = check_regular(file)
    try:
        with zipfile.ZipFile(file) as archive:
            records = _records(archive, size, file)
            root = next(iter(records)).split("/")[0]
            if records.get(f"{root}/data.pkl", _LARGEST_PICKLE + 1) > _LARGEST_PICKLE:
                raise ValueError("no data.pkl in it, or one too large for a dictionary of weights")
            content = _walk(archive.read(f"{root}/data.pkl"))
    except (zipfile.BadZipFile, EOFError, IndexError, KeyError, NotImplementedError, OverflowError) as error:
        raise ValueError(f"no archive of torch.save ({shown(error)})") from error
    except RuntimeError as error:  # zipfile's word for an encrypted member
        raise ValueError(str(error)) from error
    if not isinstance(content, dict) or not content:
        raise ValueError("not a dictionary of tensors")
    sizes = {name.removeprefix(f"{root}/data/"): bytes_ for name, bytes_ in records.items()}
    for tensor in _tensors(content):
        _check_record(tensor, sizes)
    weights = state_dict(content)
    if not all(isinstance(tensor, Declared) for tensor in weights.values()):
        raise ValueError("not a dictionary of tensors")
    for name, tensor in weights.items():
        if not tensor.floating:
            raise ValueError(
                f"{shown(name, _LONGEST_NAME)} is of integers, and weights are of floating-point numbers"
            )
    return {_name(name): tensor for name, tensor in weights.items()}


def state_dict(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The dictionary of weights in what a checkpoint file holds: itself, or what lies under one of `WRAPPERS`."""
    inside = [content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)]
    return state_dict(inside[0]) if len(inside) == 1 else content


def _tensors(content: Any) -> Iterator[Declared]:
    """All tensors in dictionaries, lists and tuples; each container is looked into once, however often it is named."""
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Declared):
            yield one
        elif isinstance(one, dict | list | tuple) and id(one) not in seen:
            seen.add(id(one))
            waiting.extend(one.values() if isinstance(one, dict) else one)


def _records(archive: zipfile.ZipFile, size: int, file: Path) -> Mapping[str, int]:
    """Bytes of each member.

    Raises:
        ValueError: compressed members, two of one name, or together larger than the file; anything after the archive,
          where another reader of archives might find another list of members.
    """
    with file.open("rb") as stream:
        stream.seek(max(0, size - _END_BYTES))
        if not stream.read().startswith(_END_RECORD):
            raise ValueError("no archive of torch.save, or something after its end")
    members = archive.infolist()
    if not 0 < len(members) <= _MOST_MEMBERS:
        raise ValueError(f"{len(members)} members in the archive")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{shown(member.filename)} is compressed, which torch.save never does")
    if sum(member.file_size for member in members) > size:
        raise ValueError(f"members of more bytes than the file's {size:,}")
    records = {member.filename: member.file_size for member in members}
    if len({name.lower() for name in records}) < len(members) or len({n.split("/")[0] for n in records}) > 1:
        raise ValueError("members of one name, or of several checkpoints")
    return records


def _walk(pickled: bytes) -> Any:
    """Dictionaries, tuples, numbers, texts and symbols that a pickle of tensors puts together."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for code, argument, _ in pickletools.genops(pickled):
        name = code.name
        if name == "STOP":
            break
        if name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            if argument not in _GLOBALS:
                raise ValueError(f"asks for {shown(argument)}, which is no part of a dictionary of tensors")
            stack.append(_Symbol(argument))
        elif name in _MAKERS:
            stack.append(_MAKERS[name](argument))
        elif name in _STEPS:
            _STEPS[name](stack)
        elif name != "PROTO":
            raise ValueError(f"pickle operation {name}, which is no part of a dictionary of tensors")
    return stack.pop()


def _since_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while not isinstance(stack[-1], _Mark):
        items.append(stack.pop())
    stack.pop()
    return items[::-1]


def _put(stack: list[Any], items: list[Any]) -> None:
    target = stack[-1]
    if not isinstance(target, dict) or len(items) % 2 or not all(type(k) in (str, int) for k in items[::2]):
        raise ValueError("items of something else than a dictionary of names")
    target.update(zip(items[::2], items[1::2], strict=True))


def _append(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise ValueError("items of something else than a list")
    stack[-1].extend(items)


def _take(stack: list[Any], count: int) -> list[Any]:
    items = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    if len(items) < count or any(isinstance(item, _Mark) for item in items):
        raise ValueError("a pickle without its operands")
    return items


def _reduce(stack: list[Any]) -> None:
    function, arguments = _take(stack, 2)
    match function, arguments:
        case _Symbol(name=name), () if name == _DICTIONARY:
            stack.append({})
        case _Symbol(name=name), (Declared() as tensor, bool(), {}) if name == _PARAMETER:
            stack.append(tensor)
        case _Symbol(name=name), (
            _Symbol() as storage,
            int(offset),
            tuple(shape),
            tuple(strides),
            bool(),
            {},
        ) if name == _TENSOR:
            stack.append(_tensor(storage, offset, shape, strides))
        case _:
            raise ValueError("a call that makes no tensor")


def _tensor(storage: _Symbol, offset: int, shape: tuple[Any, ...], strides: tuple[Any, ...]) -> Declared:
    """A tensor of its own size inside its storage; one that repeats a few elements a trillion times is none."""
    sides = [*shape, *strides]
    if (
        not all(type(n) is int and 0 <= n < 2**63 for n in sides)
        or len(shape) != len(strides)
        or len(sides) > 2 * _MOST_SIDES
    ):
        raise ValueError("a tensor of an impossible shape")
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    elements = math.prod(shape)
    if (
        not storage.record
        or not 0 < elements <= storage.elements
        or not 0 <= offset <= last < storage.elements
    ):
        raise ValueError(
            f"a tensor of shape {shown(shape)} in a storage of {shown(storage.elements)} elements"
        )
    held = storage.elements * _STORAGES[storage.name]
    return Declared(shape, storage.record, held, storage.name in ELEMENT_BYTES)


def _storage(stack: list[Any]) -> None:
    (described,) = _take(stack, 1)
    match described:
        case ("storage", _Symbol(name=name), str(record), str(), int(elements)) if (
            name in _STORAGES and record
        ):
            stack.append(_Symbol(name, record, elements))
        case _:
            raise ValueError("a storage of something else than numbers")


def _build(stack: list[Any]) -> None:
    """State of a dictionary, such as the versions that torch's own have; of no use here."""
    _take(stack, 1)
    if not isinstance(stack[-1], dict):
        raise ValueError("state for something else than a dictionary")


_MAKERS = {
    "MARK": lambda _: _Mark(),
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "NONE": lambda _: None,
    **dict.fromkeys(
        ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), lambda argument: argument
    ),
}
_STEPS = {
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "TUPLE1": lambda stack: stack.append(tuple(_take(stack, 1))),
    "TUPLE2": lambda stack: stack.append(tuple(_take(stack, 2))),
    "TUPLE3": lambda stack: stack.append(tuple(_take(stack, 3))),
    "APPENDS": lambda stack: _append(stack, _since_mark(stack)),
    "APPEND": lambda stack: _append(stack, _take(stack, 1)),
    "SETITEMS": lambda stack: _put(stack, _since_mark(stack)),
    "SETITEM": lambda stack: _put(stack, _take(stack, 2)),
    "BINPERSID": _storage,
    "REDUCE": _reduce,
    "BUILD": _build,
}


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise ValueError(f"a tensor called {shown(repr(name))}")
    return name


def _check_record(tensor: Declared, sizes: Mapping[str, int]) -> None:
    held = sizes.get(tensor.record)
    if held != tensor.record_bytes:
        raise ValueError(
            f"a storage of {shown(tensor.record_bytes)} bytes, where the file holds {held or 0:,}"
        )
