"""Runs of small random models that say what their puzzles are, made without training and without datasets."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tests.models import network
from tests.trm_lab.inference.checkpoints_of import SETTINGS
from trm.model import PuzzleShape, TinyRecursiveModel
from trm_lab.methods import METHODS
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.runs import checkpoints
from trm_lab.runs.puzzle_description import PuzzleDescription
from trm_lab.runs.training_state import TrainingState

TEXT = TextTokens("?+12345").facts(8, 4)
PUZZLES = {
    "sudoku": PuzzleDescription("s4", "sudoku", 16, 6, {"size": 4, "box_rows": 2, "box_columns": 2}),
    "queens": PuzzleDescription("q4", "queens", 16, 3, {"side": 4}),
    "maze": PuzzleDescription("m4", "maze", 16, 6, {"side": 4}),
    "cube": PuzzleDescription("cube", "cube", 27, 13, {"moves": ["U", "U'", "R", "F2"]}),
    "answer": PuzzleDescription("sums", "answer", 12, 10, TEXT),
    "tokens": PuzzleDescription("mirror", "tokens", 16, 5, {"vocab_size": 5}),
    "arc": PuzzleDescription("arc", "", 16, 12),
}
QUESTIONS = {
    "sudoku": "1..4\n..1.\n.1..\n4..1",
    "queens": ".Q..\n....\n....\n....",
    "maze": "S #G\n# # \n#   \n####",
    "cube": "UUUU RRRR FFFF DDDD LLLL BBBB",
    "answer": "1+2?",
    "tokens": "1311 1133 4421 3122",
}


def write_run(folder: Path, puzzle: PuzzleDescription, method: str = "dis", described: bool = True) -> Path:
    """A run of `method` at step 7, whose dataset is nowhere."""
    settings: Any = SETTINGS[method]
    config = network(H_cycles=1, L_cycles=2)
    rows = METHODS[method].supervision.step_rows(settings)
    model = TinyRecursiveModel(config, PuzzleShape(puzzle.seq_len, puzzle.vocab_size, 1), rows, seed=0)
    keys = {
        "arch": {"supervision": method, **asdict(config), **asdict(settings)},
        "data_paths": [str(folder / "nowhere")],
        "global_batch_size": 16,
        "seed": 0,
    }
    state = {"step": 7, "data": {}, "records_bytes": 0, "config": keys}
    state |= {"puzzle": puzzle.as_dict()} if described else {}
    folder.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(keys), folder / "config.yaml")
    content = TrainingState(model=model.state_dict(), ema={}, optimizer={}, carry={}, state=state)
    checkpoints.save(folder / "checkpoints" / "step_7", content, keep=True)
    return folder
