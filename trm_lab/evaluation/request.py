"""The request for an evaluation: which checkpoint, on which data, and how it is scored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trm_lab.commands.choices import DEFAULT_RANKING
from trm_lab.evaluation.search import Search
from trm_lab.puzzles.selection import Selection


@dataclass(frozen=True)
class ScoringRequest:
    """An evaluation of one checkpoint.

    target: a run, a checkpoint directory, an exported folder, a published file, or one of these on the hub.
    config: config.yaml or all_config.yaml; None: the one that belongs to `target`.
    weights: `auto`, `ema` or `raw` (`trm_lab.commands.choices.WEIGHT_KINDS`).
    data_paths: test data; empty: the configuration's.  selection: which part of it.
    steps: supervision steps of an answer; None: as many as trained.
    identifiers: the puzzle identifiers that the model is given (`IDENTIFIER_CHOICES`).
    guidance: each w that answers are decoded with, besides the plain ones.  margin: measure what each
      step improves, and its advantage margin.
    ranked_by: how votes rank (`trm_lab.commands.choices.RANKINGS`).
    confidence: over which cells an answer's is taken, one of CONFIDENCES.
    search: several rollouts of each question, or stopping sooner.
    batch_size: over all ranks; None: the run's, or as many as fit into memory.
    output: where everything goes; None: beside the checkpoint.  overwrite: put away what is there.
    by_category: also print the scores of each category of examples.
    choose_on: evaluation of held-out questions, on which the settings of stopping early are chosen.
    """

    target: str
    config: Path | None = None
    weights: str = "auto"
    data_paths: Sequence[str] = ()
    selection: Selection = field(default_factory=Selection)
    steps: int | None = None
    identifiers: str = "correct"
    guidance: Sequence[float] = ()
    margin: bool = False
    ranked_by: str = DEFAULT_RANKING
    confidence: str = "answer"
    search: Search = field(default_factory=Search)
    batch_size: int | None = None
    device: str = "auto"
    compile: str = "auto"
    attention: str = "auto"
    output: Path | None = None
    overwrite: bool = False
    by_category: bool = False
    choose_on: Path | None = None
    save_outputs: Sequence[str] = ()

    @property
    def suffix(self) -> str:
        """End of the evaluation folder's name: everything that differs from a plain evaluation of the checkpoint."""
        selection = self.selection
        parts = [
            *(Path(path).name for path in self.data_paths),
            "" if self.weights == "auto" else self.weights,
            "" if self.steps is None else f"steps{self.steps}",
            f"{len(selection.tasks)}named" if selection.tasks else "",
            "" if selection.first_tasks is None else f"first{selection.first_tasks}",
            "" if selection.augmentations is None else f"aug{selection.augmentations}",
            "" if selection.sampled is None else f"sample{selection.sampled}",
            "" if self.identifiers == "correct" else self.identifiers,
            "guided" if self.guidance else "",
            "margins" if self.margin else "",
            "" if self.confidence == "answer" else self.confidence,
            *self.search.suffix,
        ]
        return "".join(f"-{part}" for part in parts if part)
