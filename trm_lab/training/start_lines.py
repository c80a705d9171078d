"""What a run says of itself before its first update: a line for each thing that a person would ask."""

from dataclasses import asdict

from trm.model import TinyRecursiveModel
from trm_lab.configuration.architecture import Architecture
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.runs.young_average import large_first_share
from trm_lab.training.sweep import side_by_side
from trm_lab.training.trainer import Trainer


def print_start(arch: Architecture, data: TrainingData, trainer: Trainer) -> None:
    """Print method and parameters, data, device and ranks, updates, run directory; on the first rank."""
    if not trainer.ranks.is_first:
        return
    path = trainer.run_directory.path
    prefix = f"{path.name}: " if side_by_side() else ""
    name = arch.method.name(arch.as_dict())
    first_share = large_first_share(asdict(trainer.config), trainer.last_step)
    told = {
        "method": f"{name}, {_parameters(trainer.learner.model)}; seed {trainer.config.seed}",
        "data": _data(data, trainer.evaluator.data),
        "device": trainer.ranks.title,
        "updates": _updates(trainer.config, trainer.last_step),
        "batches": repeated(trainer.config.global_batch_size, _examples(data)),
        "weights": _averaged(first_share) if first_share else None,
        "run directory": str(path),
    }
    print("\n".join(f"{prefix}{what}: {text}" for what, text in told.items() if text), flush=True)


def repeated(batch_size: int, examples: int) -> str | None:
    """What to say of a batch that is larger than the training set; None where it is not."""
    if batch_size <= examples:
        return None
    times = f"each stands in one about {batch_size / examples:.1f} times"
    fitting = f"set global_batch_size={examples} or less"
    return f"of {batch_size:,} examples, of which there are {examples:,}: {times}; {fitting}"


def _averaged(first_share: str) -> str:
    """first_share: of the weights before the first update in their average after the last."""
    return f"evaluations use their average, {first_share}: ema=False, or more updates"


def _parameters(model: TinyRecursiveModel) -> str:
    numbers = f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters"
    table = model.puzzle_emb
    if table is None:
        return numbers
    return f"{numbers} and a puzzle embedding of {table.puzzles:,} × {table.weights.shape[1]:,}"


def _examples(train: TrainingData) -> int:
    return round(train.mean_puzzle_examples * train.metadata.total_puzzles)


def _data(train: TrainingData, test: EvaluationData) -> str:
    examples = _examples(train)
    groups = f"{train.total_groups:,} groups"  # of one question and its augmentations
    trained = f"{', '.join(map(str, train.paths))} ({groups}, {examples:,} examples of {train.metadata.seq_len} tokens)"
    elsewhere = f"{', '.join(map(str, test.paths))}, " if test.paths != train.paths else ""
    return f"{trained}; test: {elsewhere}{test.total_examples:,} examples"


def _updates(config: TrainConfig, last_step: int) -> str:
    limit = "" if config.max_minutes is None else f", in at most {config.max_minutes:g} minutes"
    examples = f"at most {last_step:,}, of {config.global_batch_size:,} examples each"
    return f"{examples}{limit}; the time they take is measured over the first ones"
