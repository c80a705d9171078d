"""The `arch` part of a configuration: a method, its settings and the network's; and the model made of it."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from trm.act import ACTConfig
from trm.errors import UserError, shown
from trm.model import PuzzleShape, TRMConfig
from trm.supervision import Supervision
from trm_lab.configuration.typed_values import typed
from trm_lab.methods import METHODS, Method, method

_DEFAULTS = {**asdict(TRMConfig()), **asdict(ACTConfig()), **asdict(METHODS["dis"].config_class())}
_OF_NETWORK = ("latent_noise", "recursion", "H_layers")
_OF_METHODS = ("halts_above_continue", "act_enabled", "targets", "target_order", "target_direction")
LATER_KEYS = {key: _DEFAULTS[key] for key in (*_OF_NETWORK, *_OF_METHODS)}  # that earlier versions lack
RETIRED = {"keep_checkpoints": "keep_last"}  # what an earlier version called by another name


@dataclass(frozen=True)
class Architecture:
    """A method by name, the network's shape, and the method's own settings."""

    supervision: str
    network: TRMConfig
    settings: Any

    @property
    def method(self) -> Method:
        """What the laboratory knows of the method."""
        return method(self.supervision)

    @property
    def step_rows(self) -> int:
        """Rows of the model's table of supervision steps."""
        return self.method.supervision.step_rows(self.settings)

    def as_dict(self) -> dict[str, Any]:
        """Flat, as in configs/arch/; without a later key at its default, so that a run of before is the same run."""
        keys = {"supervision": self.supervision, **asdict(self.network), **asdict(self.settings)}
        return without_later_defaults(keys)

    def build(self, shape: PuzzleShape, seed: int = 0) -> Supervision[Any]:
        """The model for data of this shape, with initial weights by `seed`, behind its supervision."""
        model = self.method.model(self.network, shape, self.step_rows, seed)
        return self.method.supervision(model, self.settings)


def without_later_defaults(arch: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of `arch` but for those that earlier versions lack, where they have their default."""
    return {key: value for key, value in arch.items() if key not in LATER_KEYS or value != LATER_KEYS[key]}


def architecture(arch: Mapping[str, Any]) -> Architecture:
    """Take `arch` apart into the network's keys and the method's.

    Raises:
        UserError: no such method, a key that neither has, or a value that is out of range.
    """
    values = dict(arch)
    name = str(values.pop("supervision", None))
    settings_class = method(name).config_class
    network_keys = {key.name for key in fields(TRMConfig)}
    allowed = network_keys | {key.name for key in fields(settings_class)}
    for key in (key for key in values if key not in allowed):
        check_key(f"arch.{key}", arch_keys())
        raise UserError(
            f"arch.{key} with arch.supervision={name}",
            f"keys of the network and of {name}: {', '.join(sorted(allowed))}",
            f"leave arch.{key} out, or choose an arch that has it (arch=trm, arch=dis)",
        )
    network = typed(TRMConfig, {k: v for k, v in values.items() if k in network_keys}, "arch.")
    own = {k: v for k, v in values.items() if k not in network_keys}
    return Architecture(name, network, typed(settings_class, own, "arch."))


def arch_defaults(name: str) -> dict[str, Any]:
    """Every key of `arch` with its default, for a method."""
    return {"supervision": name, **asdict(TRMConfig()), **asdict(method(name).config_class())}


def arch_classes() -> Iterator[type[Any]]:
    """The dataclasses whose fields are keys of `arch`: the network's and every method's."""
    yield TRMConfig
    yield from (entry.config_class for entry in METHODS.values())


def arch_keys() -> set[str]:
    """Every key of `arch` that a command line may set, with the prefix `arch.`."""
    return {f"arch.{key.name}" for part in arch_classes() for key in fields(part)} | {"arch.supervision"}


def check_key(key: str, allowed: Iterable[str]) -> None:
    """UserError that names the nearest of the allowed keys, unless `key` is one of them."""
    allowed = set(allowed)
    if key in RETIRED:
        raise UserError(f"key {key!r}", f"its new name, {RETIRED[key]!r}", f"say {RETIRED[key]}=…")
    if key == "arch.act_inference":  # of the published baseline
        allowed_steps, instead = "an evaluation takes halt_max_steps steps", "python evaluate.py RUN --stop q_halt:0.5"
        raise UserError(f"key {key!r}", allowed_steps, f"leave it out; to stop sooner: {instead}")
    if key in allowed or key.startswith("data_build."):
        return
    leaf = {k.rsplit(".", 1)[-1]: k for k in allowed}  # compared without a prefix that both have, such as arch.
    last = key.rsplit(".", 1)[-1]
    words = (last,) if last in leaf else (last, last.lower())
    near = [leaf[match] for word in words for match in difflib.get_close_matches(word, leaf, 1, 0.6)]
    raise UserError(
        f"unknown key {shown(key)!r}",
        "the keys of configs/ (`--cfg job` prints them)",
        f"did you mean {near[0]!r}?" if near else "see `--help`",
    )
