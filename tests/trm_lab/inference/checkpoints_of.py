"""A run directory with one checkpoint of a small random model, made without training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dis_trm.supervision import DISConfig
from tests.models import network
from trm.act import ACTConfig
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.randomness import torch_generator
from trm_lab.methods import METHODS
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.runs import checkpoints
from trm_lab.runs.training_state import TrainingState

SETTINGS = {"act": ACTConfig(halt_max_steps=4), "dis": DISConfig(halt_max_steps=3)}


def write_run(folder: Path, dataset: Path, method: str = "dis", seed: int = 0, ema: bool = False) -> Path:
    """A run of `method` on `dataset`, at step 7."""
    metadata = EvaluationData([dataset], global_batch_size=1).metadata
    settings: Any = SETTINGS[method]
    config = network(H_cycles=1, L_cycles=2)
    shape = PuzzleShape(metadata.seq_len, metadata.vocab_size, metadata.num_puzzle_identifiers)
    rows = METHODS[method].supervision.step_rows(settings)
    model = TinyRecursiveModel(config, shape, rows, seed)
    assert model.puzzle_emb is not None
    model.puzzle_emb.weights.normal_(generator=torch_generator(seed, "puzzles"))
    keys = {
        "arch": {"supervision": method, **asdict(config), **asdict(settings)},
        "data_paths": [str(dataset)],
        "global_batch_size": 16,
        "seed": seed,
    }
    weights = model.state_dict()
    averaged = {n: -p.detach() for n, p in model.named_parameters()} if ema else {}
    state = {"step": 7, "data": {}, "records_bytes": 0, "config": keys}
    folder.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(keys), folder / "config.yaml")
    content = TrainingState(model=weights, ema=averaged, optimizer={}, carry={}, state=state)
    checkpoints.save(folder / "checkpoints" / "step_7", content, keep=True)
    return folder
