"""From what YAML or a command line holds to the fields of a configuration: strict types, and errors that say which."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from typing import Any, TypeVar, get_args, get_origin

from trm.errors import UserError, shown

SWITCH_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
NAMES = {
    bool: "True or False",
    int: "a whole number, written without a point or an exponent",
    float: "a number",
    str: "a text that is not empty",
    list: "a list of texts, such as [a,b]",
    dict: "keys and values",
}

REGISTRIES = {  # choice on a command line → where one of one's own gets its name
    "arch": "METHODS",
    "recursion": "RECURSIONS",
    "arch.recursion": "RECURSIONS",
    "arch.targets": "TARGETS",
}

T = TypeVar("T")


def plain_values(config: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys and values, with what Hydra's interpolations stand for.

    Raises:
        UserError: an interpolation that stands for nothing.
    """
    if isinstance(config, dict):
        return {str(key): value for key, value in config.items()}
    from omegaconf import OmegaConf  # here: a machine without Hydra can read settings that nobody composed
    from omegaconf.errors import OmegaConfBaseException

    try:
        return {str(key): value for key, value in dict(OmegaConf.to_container(config, resolve=True)).items()}  # type: ignore[arg-type]
    except OmegaConfBaseException as error:
        line = shown(str(error).partition("\n")[0])
        raise UserError(line, "${key} of a key that there is", "correct the ${…}, or write the value out") from error


def typed(kind: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """An instance of a configuration's dataclass.

    prefix: of the keys in messages, such as `arch.`.

    Raises:
        UserError: a value of another type, or out of range.
    """
    keys: dict[str, Field[Any]] = {key.name: key for key in fields(kind)}  # type: ignore[arg-type]
    converted = {key: _converted(keys[key], value, prefix + key) for key, value in values.items()}
    try:
        return kind(**converted)
    except UserError as error:
        raise _with_nearest(error) from error


def _with_nearest(error: UserError) -> UserError:
    """The same error; for `key=name` that is none of the names that there are it asks for the nearest."""
    key, _, name = error.given.partition("=")
    names = error.allowed.split(" | ")
    near = difflib.get_close_matches(name, names, 1, 0.6) if len(names) > 1 else []
    return UserError(
        error.given, error.allowed, or_registered(key, f"did you mean {key}={near[0]}?" if near else error.remedy)
    )


def or_registered(key: str, remedy: str) -> str:
    """The remedy for an unknown choice, and where the key's registry is filled if it has one."""
    registry = REGISTRIES.get(key)
    own = f"; one of your own is registered in {registry} by a file in trm_lab/extensions (docs/extending.md)"
    return remedy if registry is None else remedy + own


def check_value(kinds: Iterable[type[Any]], name: str, value: Any, prefix: str = "") -> None:
    """UserError if a field of this name, of the first dataclass that has one, cannot take the value."""
    for field in (field for kind in kinds for field in fields(kind) if field.name == name):
        converted = _converted(field, value, prefix + name)
        allowed = field.metadata.get("range")
        if allowed is not None and converted is not None and converted not in allowed:
            raise UserError(f"{prefix}{name}={converted}", str(allowed), f"correct {prefix}{name}")
        return


def check_choice(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """UserError unless `value` is one of those allowed."""
    if value not in allowed:
        raise _with_nearest(UserError(f"{key}={shown(value)}", " | ".join(allowed), f"set {key} to one of these"))


def _converted(field: Field[Any], value: Any, key: str) -> Any:
    kinds = get_args(field.type) if get_origin(field.type) not in (list, dict) else (field.type,)
    kind = next((get_origin(k) or k for k in kinds or (field.type,) if k is not type(None)), Any)
    if value is None and type(None) in kinds:
        return None
    try:
        return _of_kind(kind, value)
    except (ValueError, OverflowError) as error:
        allowed = str(field.metadata.get("range") or NAMES[kind])
        null = ", or null for none" if type(None) in kinds else ""
        whole = kind is int and isinstance(value, float) and value.is_integer()  # 1e3
        remedy = f"write {key}={int(value)}" if whole else f"correct {key}"
        raise UserError(f"{key}={shown(repr(value))}", f"{allowed}{null}", remedy) from error


def _of_kind(kind: Any, value: Any) -> Any:
    """The value as a `kind`; ValueError where it is none."""
    if kind is bool and isinstance(value, str) and value.lower() in SWITCH_WORDS:
        return SWITCH_WORDS[value.lower()]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind is list and isinstance(value, str):
        value = [value]  # data_paths=path
    right = isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
    texts = value if kind is list and right else [value] if kind is str else []
    if not right or any(not text.strip() for text in texts if isinstance(text, str)):
        raise ValueError(kind)
    if kind is list and not all(isinstance(text, str | Mapping) for text in value):
        raise ValueError(kind)
    return value
