"""METHODS: what the laboratory must know of a method. A new method is one line here, or in a file of `extensions/`.

The rest of the laboratory looks a method up by its name, `arch.supervision`, and then knows it by this entry and by the
seam in `trm/supervision.py` alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from dis_trm.guidance import GuidanceProbe as GuidanceProbe  # of any method's steps: this is the one door to dis_trm
from dis_trm.supervision import DISSupervision, dis_name
from trm.act import ACTSupervision, trm_name
from trm.errors import UserError, shown
from trm.model import TinyRecursiveModel, TRMConfig
from trm.supervision import Supervision


class SupervisionClass(Protocol):
    """A class that makes supervisions.

    config_class: the dataclass of its keys, which stand under `arch` beside the network's.
    fixed_steps: whether every example takes exactly `halt_max_steps` supervision steps.
    """

    config_class: type[Any]
    fixed_steps: bool

    def __call__(self, model: TinyRecursiveModel, config: Any) -> Supervision[Any]: ...

    def step_rows(self, config: Any) -> int:
        """Rows of the model's table of supervision steps; 0 leaves it out."""
        ...


@dataclass(frozen=True)
class Method:
    """One method.

    supervision: what trains and answers.
    title: its short name in figures and tables.  full_name, summary, tags: for a model card.
    model: the network's class, with its blocks and its recursion.
    variant_name: what papers call the variant with these `arch` keys, all of which are there; None: the title.
    """

    supervision: SupervisionClass
    title: str
    full_name: str = ""
    summary: str = ""
    tags: tuple[str, ...] = ()
    variant_name: Callable[[Mapping[str, Any]], str] | None = None
    model: type[TinyRecursiveModel] = TinyRecursiveModel

    @property
    def config_class(self) -> type[Any]:
        """The dataclass of its keys."""
        return self.supervision.config_class

    def name(self, arch: Mapping[str, Any]) -> str:
        """What papers call the variant with a run's `arch` keys; a key that is missing has its default."""
        if self.variant_name is None:
            return self.title
        return self.variant_name({**asdict(TRMConfig()), **asdict(self.config_class()), **arch})


METHODS: dict[str, Method] = {
    "act": Method(
        ACTSupervision,
        "TRM",
        "Tiny Recursive Model (TRM)",
        "one small network applied again and again to its own answer, every supervision step trained towards the "
        "final answer, with a learned probability of halting (TRM, arXiv 2510.04871).",
        ("trm", "tiny-recursive-model"),
        trm_name,
    ),
    "dis": Method(
        DISSupervision,
        "DIS",
        "Deep Improvement Supervision (DIS)",
        "one small network applied again and again to its own answer, each supervision step trained towards a "
        "target of its own, a less and less corrupted answer (DIS, arXiv 2511.16886, on the network of TRM, "
        "arXiv 2510.04871).",
        ("dis", "deep-improvement-supervision", "trm"),
        dis_name,
    ),
}


def method(name: str) -> Method:
    """The method of this name; UserError, with the names there are, for another."""
    if name not in METHODS:
        raise UserError(f"arch.supervision={shown(name)}", " | ".join(METHODS), "set arch.supervision to one of these")
    return METHODS[name]


import trm_lab.extensions  # noqa: E402, F401 (last: its files import what is above, and all registries are then filled)
