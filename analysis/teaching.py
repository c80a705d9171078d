"""The targets of each source of step targets for training examples, their distances to the answers, and a picture.

B examples, L tokens, N supervision steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis import style
from analysis.sheets import Sheet, Space
from dis_trm.source import Prediction
from dis_trm.supervision import DISConfig
from dis_trm.targets import TARGETS
from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError, shown
from trm.losses import TOKEN_LOSSES
from trm.randomness import SeededStepRandom
from trm_lab.puzzles.arc.picture import ArcPicture
from trm_lab.puzzles.kinds import picture_of
from trm_lab.puzzles.layout import read_test_puzzles
from trm_lab.puzzles.loading import TrainingData
from trm_lab.puzzles.manifest import read_about
from trm_lab.puzzles.picture import Example, Picture
from trm_lab.puzzles.splits import open_split
from trm_lab.runs.opened_checkpoint import open_checkpoint

BY_KEYS: dict[str, dict[str, str]] = {
    "reveal": {},
    "mask": {"target_kernel": "mask"},
    "replace": {"target_kernel": "replace"},
    "reading": {"target_order": "reading"},
    "solver": {"target_order": "solver"},
    "solver, backwards": {"target_order": "solver", "target_direction": "backwards"},
    "solver, both ends": {"target_order": "solver", "target_direction": "both_ends"},
    "solver, rounds": {"target_order": "solver", "target_schedule": "rounds"},
    "stored": {"targets": "stored"},
    "prediction": {"target_kernel": "prediction"},
    "on_policy": {"targets": "on_policy"},
}
"""Sources by the name of their row, and the keys of `arch` that choose them."""

LARGEST_SAMPLE = 512  # examples of which the mean is taken


@dataclass(frozen=True)
class Teaching:
    """Targets of one source: of steps 1 to N, `[N, B, L]`, IGNORE_LABEL where nothing is trained."""

    name: str
    targets: NDArray[np.int64]

    def distances(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scored tokens that differ from the answer `[B, L]`, in the mean over examples: `[N]`."""
        wrong = (self.targets != labels) & (labels != IGNORE_LABEL)
        return np.asarray(wrong.sum(2).mean(1), np.float64)


def all_sources() -> dict[str, dict[str, str]]:
    """The sources that are known by their keys, and those that others have registered."""
    own = TARGETS.keys() - {"corruption"} - {keys.get("targets") for keys in BY_KEYS.values()}
    return BY_KEYS | {name: {"targets": name} for name in sorted(own)}


def draw_batch(dataset: Path, seed: int) -> tuple[TrainingData, Batch, dict[str, str]]:
    """Random training examples, with the extras that there are; and why others are not, by name.

    Raises:
        UserError: no such dataset, or a broken one.
    """
    size = min(LARGEST_SAMPLE, open_split(dataset, "train").metadata.total_groups)
    data = TrainingData([dataset], seed=seed, global_batch_size=size, epochs_per_iteration=2)
    absent: dict[str, str] = {}
    for name in ("reveal_order", "stored_steps"):
        try:
            data.read_extras([name])
        except UserError as error:
            absent[name] = error.given
    data.read_extras([name for name in ("reveal_order", "stored_steps") if name not in absent])
    batch = data.next_batch()
    assert batch is not None
    return data, batch, absent


@torch.no_grad()
def predictions_of(run: str, data: TrainingData, batch: Batch, steps: int) -> list[Prediction]:
    """What a run's model answers before step 1 (the question), and after each of the steps but the last."""
    opened = open_checkpoint(run)
    supervision, _ = opened.supervision(data.metadata, data.identifiers)
    supervision.model.eval()
    supervision.take_steps(steps)
    predictions = [Prediction(batch.inputs, torch.zeros_like(batch.inputs, dtype=torch.float32))]
    plain = Batch(batch.inputs, batch.labels, batch.puzzle_identifiers)
    carry = supervision.initial_carry(plain)
    for step in range(1, steps):
        output = supervision.step(carry, plain, SeededStepRandom(0, step, len(batch)))
        log_probabilities = -TOKEN_LOSSES[supervision.loss_type](output.logits, output.predictions).float()
        predictions.append(Prediction(output.predictions, log_probabilities))
        carry = output.carry
    return predictions


def teach(
    name: str, keys: Mapping[str, Any], batch: Batch, vocab_size: int, predictions: Sequence[Prediction], seed: int
) -> Teaching:
    """The targets that a source gives for each step, one for each of the predictions before it."""
    settings = replace(DISConfig(), halt_max_steps=len(predictions), **keys)
    source = TARGETS[settings.targets](settings, vocab_size)
    plan = source.start(batch, SeededStepRandom(seed, 0, len(batch)))
    targets = [
        source.target(
            step,
            plan,
            batch.labels,
            latest if source.reads_predictions else None,
            SeededStepRandom(seed, step, len(batch)),
        )
        for step, latest in enumerate(predictions, 1)
    ]
    return Teaching(name, torch.stack(targets).long().numpy())


def missing(keys: Mapping[str, Any], batch: Batch, absent: Mapping[str, str], has_run: bool) -> str | None:
    """Why a source cannot be shown; None where it can."""
    settings = replace(DISConfig(), **keys)
    source = TARGETS[settings.targets](settings, 2)
    lacking = [absent[name] for name in source.batch_extras if getattr(batch, name) is None]
    if source.reads_predictions and not has_run:
        lacking.append("it looks at a model's predictions; name a run on this dataset: --run RUN")
    return lacking[0] if lacking else None


def dataset_picture(dataset: Path, tokens: int) -> Picture:
    """How examples of `tokens` tokens of a dataset are drawn.

    Raises:
        UserError: the dataset does not say of which kind its puzzles are.
    """
    about = read_about(dataset)
    if read_test_puzzles(dataset):
        return ArcPicture()
    picture = None if about is None else picture_of(about.scorer, about.facts)
    if picture is None or not picture.fits(tokens):
        raise UserError(
            f"{dataset} does not say of which kind its puzzles are, so they cannot be drawn",
            "ARC, or a dataset of one of this version's builders",
            "build it again, or look at the numbers alone: --no-figure",
        )
    return picture


def targets_figure(picture: Picture, example: Example, row: int, taught: Sequence[Teaching], heading: str) -> Figure:
    """Draw the targets of example `row` of the batch: a row for each source, a column for each step."""
    steps = len(taught[0].targets)
    with style.applied():
        sheet = Sheet(
            columns=[picture.question_width, *[picture.answer_width] * steps],
            titles=["question", *(f"step {step}" for step in range(1, steps + 1))],
            rows=[Space(picture.height(example))] * len(taught),
            heading=heading,
            caption=["What a supervision step is trained towards, by source. " + picture.legend],
            label_lines=1,
        )
        fig, rows = sheet.figure()
        for teaching, line in zip(taught, rows, strict=True):
            picture.draw_question(line.pictures[0], example)
            line.pictures[0].set_ylabel(teaching.name, fontsize=7.5, labelpad=3)
            for axes, target in zip(line.pictures[1:], teaching.targets[:, row], strict=True):
                tokens = np.where(target == IGNORE_LABEL, example.inputs, target)
                wrong = int(example.wrong(tokens).sum())
                picture.draw_prediction(axes, example, tokens, solved=wrong == 0)
                axes.set_xlabel(f"{wrong} to go" if wrong else "answer", fontsize=7.5, labelpad=2)
    return fig


def chosen_sources(names: Sequence[str] | None) -> dict[str, dict[str, str]]:
    """The sources of these names; None: all.

    Raises:
        UserError: there is none of that name.
    """
    sources = all_sources()
    for name in names or []:
        if name not in sources:
            raise UserError(f"--sources {shown(name)}", " | ".join(sources), "name some of these, in quotes")
    return sources if names is None else {name: sources[name] for name in names}


def taught_by(
    sources: Mapping[str, Mapping[str, str]], dataset: Path, run: str | None, steps: int, seed: int
) -> tuple[Batch, list[Teaching]]:
    """Training examples of a dataset and what each source teaches them; prints which sources it cannot serve.

    Raises:
        UserError: it can serve none of them.
    """
    data, batch, absent = draw_batch(dataset, seed)
    predictions = [Prediction(batch.inputs, torch.zeros_like(batch.inputs, dtype=torch.float32))] * steps
    if run is not None:
        predictions = predictions_of(run, data, batch, steps)
    taught = []
    for name, keys in sources.items():
        reason = missing(keys, batch, absent, run is not None)
        if reason is None:
            taught.append(teach(name, keys, batch, data.metadata.vocab_size, predictions, seed))
        else:
            print(f"left out: {name}: {reason}")
    if not taught:
        raise UserError(
            f"none of the sources {', '.join(sources)} can be shown", "at least one", "name others, or a --run"
        )
    return batch, taught
