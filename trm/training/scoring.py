"""Score a checkpoint that already exists: one of ours, or a published one with its all_config.yaml."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trm.config_files import read_config
from trm.distributed import Ranks, join
from trm.errors import UserError
from trm.evaluation.evaluate import Evaluation, Evaluator
from trm.evaluation.results import write_evaluation
from trm.evaluation.table import scores_table
from trm.puzzles.loading import EvaluationData
from trm.training.config import Supervisions, architecture
from trm.training.launch import make_supervision
from trm.training.weights import (
    PUBLISHED_CONFIG,
    check_size,
    export_published,
    find_checkpoint,
    load_into,
    published_arch,
    read_weights,
)
from trm.untrusted import shown

TYPES: dict[str, type] = {  # of what is read here from a configuration
    "arch": dict,
    "data_build": dict,
    "data_paths": list,
    "data_paths_test": list,
    "evaluators": list,
    "global_batch_size": int,
    "seed": int,
}
BUILDER = re.compile(r"python -m data\.build_\w+_dataset( [\w./=-]+)*", re.ASCII)


@dataclass(frozen=True)
class ScoringRequest:
    """What to score, and where the rest is.

    target: a run, a checkpoint directory, or a published checkpoint file.
    config: config.yaml or all_config.yaml; None: the one that belongs to `target`.
    data_paths: test data; empty: the configuration's.  batch_size: None: the configuration's.
    output: where scores.json and submission.json go; None: beside the checkpoint.
    export: also write the weights in the published form into this folder.
    """

    target: Path
    config: Path | None = None
    data_paths: Sequence[str] = ()
    batch_size: int | None = None
    device: str = "auto"
    output: Path | None = None
    export: Path | None = None
    save_outputs: Sequence[str] = field(default_factory=list)


def score(request: ScoringRequest, supervisions: Supervisions) -> None:
    """Evaluate, print the table and write the results; every rank calls it.

    Raises:
        UserError: no checkpoint, no configuration, missing data, or weights that do not fit it.
    """
    checkpoint = find_checkpoint(request.target)
    config_file = request.config or _config_beside(checkpoint)
    config = _read_config(config_file)
    ranks = join(request.device)
    try:
        evaluation = _evaluate(request, checkpoint, config, supervisions, ranks)
        if ranks.is_first:
            folder = request.output or _output_beside(checkpoint, request.data_paths)
            write_evaluation(folder, evaluation)
            print(scores_table(evaluation.scores))
            print(f"written to {folder}")
    finally:
        ranks.close()


def _evaluate(
    request: ScoringRequest,
    checkpoint: Path,
    config: Mapping[str, Any],
    supervisions: Supervisions,
    ranks: Ranks,
) -> Evaluation:
    weights = read_weights(checkpoint)
    arch_keys = published_arch(config["arch"], weights) if "name" in config["arch"] else config["arch"]
    arch = architecture(arch_keys, supervisions)
    check_size(arch.network, weights, str(checkpoint))
    paths = list(request.data_paths) or config.get("data_paths_test") or config.get("data_paths")
    if not paths:
        raise UserError(
            "the configuration names no data_paths", "test data", "name it: --data-path data/<name>"
        )
    data = EvaluationData(
        paths,
        global_batch_size=request.batch_size or config["global_batch_size"],
        rank=ranks.rank,
        world_size=ranks.world_size,
        build_command=_builder((config.get("data_build") or {}).get(paths[0])),
    )
    seed = config.get("seed", 0)
    supervision = make_supervision(arch, data.metadata, supervisions, seed)
    for remark in load_into(supervision.model, weights, str(checkpoint)):
        if ranks.is_first:
            print(remark)
    supervision.model.to(ranks.device)
    if request.export and ranks.is_first:
        exported = {**config, "arch": arch.as_dict()}
        print(f"exported to {export_published(request.export, _step(checkpoint), weights, exported)}")
    arc = bool(data.test_puzzles)
    evaluation = Evaluator(supervision, data, ranks, arc, seed, request.save_outputs).run()
    method = arch.supervision
    evaluation.scores.update(step=_step(checkpoint), method=method, supervision=method)
    return evaluation


def _builder(command: object) -> str | None:
    """A command of a configuration that may be a stranger's, if it is safe to tell somebody to run it."""
    return command if isinstance(command, str) and BUILDER.fullmatch(command) else None


def _config_beside(checkpoint: Path) -> Path:
    """config.yaml of the run that a checkpoint lies in, or all_config.yaml beside a published file."""
    names = (
        [checkpoint.parent / PUBLISHED_CONFIG]
        if checkpoint.is_file()
        else [checkpoint.parents[1] / "config.yaml"]
    )
    found = [name for name in names if name.is_file()]
    if not found:
        raise UserError(
            f"no configuration beside {checkpoint}",
            str(names[0]),
            "name it: --config <config.yaml or all_config.yaml>",
        )
    return found[0]


def _read_config(file: Path) -> dict[str, Any]:
    keys = read_config(file)
    missing = [k for k in ("arch", "global_batch_size") if k not in keys]
    if missing:
        raise UserError(
            f"{file} lacks {', '.join(missing)}", "the resolved configuration of a run", "check --config"
        )
    for key, kind in TYPES.items():
        if keys.get(key) is not None and not isinstance(keys[key], kind):
            raise UserError(f"{file}: {key}={shown(keys[key])}", f"a {kind.__name__}", "check --config")
    return keys


def _output_beside(checkpoint: Path, data_paths: Sequence[str]) -> Path:
    """`scored/` of the run, or a folder beside a published file; never the run's own evaluations."""
    name = "-".join([checkpoint.stem, *(Path(path).name for path in data_paths)])
    if checkpoint.is_file():
        return checkpoint.with_name(f"{name}_scored")
    return checkpoint.parents[1] / "scored" / name


def _step(checkpoint: Path) -> int:
    """The step in a name such as step_123 or step_123.pth; 0 where it has none."""
    number = checkpoint.stem.split("_")[-1]
    return int(number) if number.isdecimal() else 0
