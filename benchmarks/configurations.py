"""What is measured: method, size, task, batch, dtype and compile mode, and their names.

A name is <method>-<size>-<task>, then, where they are not the usual ones, -b<batch>, -<dtype> and -<compile>:
dis-compact-arc, dis-compact-arc-b64-bfloat16-max.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch

from benchmarks.published_settings import published_settings
from trm.batch import Batch
from trm.errors import UserError
from trm.model import FORWARD_DTYPES, PuzzleShape
from trm.randomness import torch_generator
from trm.supervision import Supervision
from trm_lab.commands.choices import COMPILE_CHOICES
from trm_lab.configuration.architecture import Architecture, architecture
from trm_lab.configuration.train_config import TrainConfig, train_config

ENTRIES = {"dis": "train_arc_tiny_corrupt", "trm": "cfg_pretrain"}
TASKS = {  # tokens, vocabulary, puzzle identifiers
    "arc": PuzzleShape(900, 12, 10_000),
    "nqueens": PuzzleShape(64, 3, 1),
    "tiny": PuzzleShape(16, 12, 9),
}
TINY = "arch.hidden_size=32 arch.num_heads=2 arch.puzzle_emb_len=2 arch.L_layers=1 arch.H_cycles=1 arch.L_cycles=2"
NETWORKS = {
    ("dis", "compact"): "arch=dis",
    ("dis", "medium"): "arch=dis arch.hidden_size=512 arch.L_layers=2",
    ("trm", "compact"): "arch=trm_compact",
    ("trm", "compact36"): "arch=trm_compact arch.H_cycles=3 arch.L_cycles=6",  # DIS-compact's size, T=3, n=6
    ("trm", "medium"): "arch=trm arch.L_cycles=4",  # as published for ARC: 7 M parameters, T=3, n=4
    ("dis", "tiny"): f"arch=dis {TINY}",
    ("trm", "tiny"): f"arch=trm_compact {TINY}",
}
BATCHES = {"cpu": {"arc": 16, "nqueens": 128, "tiny": 4}, "cuda": {"arc": 128, "nqueens": 1024, "tiny": 4}}
PUBLISHED = ("dis-compact", "dis-medium", "trm-compact", "trm-medium")
GROUPS = ("quick", "all", "gpu", "tiny")


@dataclass(frozen=True)
class Configuration:
    """One thing to measure; see the module."""

    method: str
    size: str
    task: str
    batch: int
    dtype: str
    compile: str

    @property
    def name(self) -> str:
        """Full name, such as `dis-compact-arc-b512-bfloat16-auto`."""
        return f"{self.method}-{self.size}-{self.task}-b{self.batch}-{self.dtype}-{self.compile}"

    @property
    def shape(self) -> PuzzleShape:
        """Length, vocabulary and number of puzzles of the task."""
        return TASKS[self.task]

    @property
    def torch_dtype(self) -> torch.dtype:
        """Dtype of activations and matrix products."""
        return FORWARD_DTYPES[self.dtype]

    def composed(self) -> tuple[TrainConfig, Architecture]:
        """The published settings of the method, and its architecture."""
        overrides = NETWORKS[self.method, self.size].split()
        overrides += [f"arch.forward_dtype={self.dtype}", f"compile={self.compile}"]
        overrides += [f"global_batch_size={self.batch}"]
        config = train_config(published_settings(ENTRIES[self.method], overrides))
        return config, architecture(config.arch)

    def supervision(
        self, arch: Architecture, device: torch.device, shape: PuzzleShape | None = None
    ) -> Supervision[Any]:
        """A fresh model behind its supervision, on `device`; for the task's puzzles or for those of `shape`."""
        supervision = arch.build(shape or self.shape)
        supervision.model.to(device)
        return supervision

    def random_batch(self) -> Batch:
        """Uniform tokens; identifiers of all puzzles alike."""
        generator, shape = torch_generator(0, "benchmark tokens"), self.shape

        def draw(low: int, high: int, *size: int) -> torch.Tensor:
            return torch.randint(low, high, size, generator=generator, dtype=torch.int32)

        tokens = (self.batch, shape.seq_len)
        labels = draw(1, shape.vocab_size, *tokens)
        identifiers = draw(0, shape.num_puzzle_identifiers, self.batch)
        return Batch(draw(0, shape.vocab_size, *tokens), labels, identifiers)


def group(name: str, device: str, usual_dtype: str) -> list[Configuration]:
    """The configurations that a group's name stands for on a `cpu` or `cuda` device."""
    if name == "tiny":
        return named("dis-tiny-tiny dis-tiny-tiny-max trm-tiny-tiny", device, "float32")
    if name == "quick":
        both = named("dis-compact-arc dis-compact-nqueens", device, usual_dtype)
        return [replace(one, dtype=dtype) for one, dtype in product(both, ("float32", "bfloat16"))]
    if name == "gpu":
        words = [
            f"{method}-{task}-bfloat16-{mode}"
            for method in PUBLISHED
            for task in ("arc-b64", "arc-b256", "nqueens-b256", "nqueens-b1024")
            for mode in ("auto", "max")
        ]
        return named(" ".join(words), device, usual_dtype)
    words = [
        f"{method}-{task}-{dtype}-{mode}"
        for method in PUBLISHED
        for task in ("arc-b4", "arc-b16", "nqueens-b32", "nqueens-b128")
        for dtype in ("float32", "bfloat16")
        for mode in ("off", "max")
    ]
    return named(" ".join(["trm-compact36-arc-b16-float32-off", *words]), device, usual_dtype)


def named(names: str, device: str, usual_dtype: str) -> list[Configuration]:
    """Configurations by name, separated by spaces.

    Raises:
        UserError: for a name that is none.
    """
    return [_named(name, device, usual_dtype) for name in names.split()]


def _named(name: str, device: str, usual_dtype: str) -> Configuration:
    pattern = rf"(\w+)-(\w+)-(\w+?)(?:-b([1-9]\d*))?(?:-({_any(FORWARD_DTYPES)}))?(?:-({_any(COMPILE_CHOICES)}))?"
    match = re.fullmatch(pattern, name)
    names = [f"{method}-{size}-{task}" for (method, size), task in product(NETWORKS, TASKS)]
    if match is None or "-".join(match.groups()[:3]) not in names:
        near = difflib.get_close_matches(name, [*GROUPS, *names], 1, 0.5)
        raise UserError(
            f"no configuration is called {name}",
            f"{' | '.join(GROUPS)} | {' | '.join(names)}, each with -b<batch>, -<dtype>, -<compile> or without",
            f"did you mean {near[0]}?" if near else "choose one of these",
        )
    method, size, task, batch, dtype, mode = match.groups()
    number = int(batch) if batch else BATCHES[device][task]
    return Configuration(method, size, task, number, dtype or usual_dtype, mode or "auto")


def _any(words: Sequence[str] | dict[str, Any]) -> str:
    return "|".join(words)


def chosen(
    names: Sequence[str],
    device: str,
    usual_dtype: str,
    batches: Sequence[int] = (),
    dtypes: Sequence[str] = (),
    modes: Sequence[str] = (),
) -> list[Configuration]:
    """All that `names` ask for, each once; `batches`, `dtypes`, `modes` in place of their own, in all combinations."""
    found: dict[Configuration, None] = {}
    for name in names:
        for one in group(name, device, usual_dtype) if name in GROUPS else named(name, device, usual_dtype):
            for batch, dtype, mode in product(batches or (one.batch,), dtypes or (one.dtype,), modes or (one.compile,)):
                found[replace(one, batch=batch, dtype=dtype, compile=mode)] = None
    return list(found)
