"""The compact ARC set holds what the published layout holds, and makes it when it is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import build, write_sources
from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.layout import PuzzleExamples, read_identifiers, read_test_puzzles
from trm_lab.puzzles.loading import TrainingData
from trm_lab.puzzles.splits import open_split

COMPACT = {"materialize": False}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("arc")
    prefix = write_sources(folder, hidden="evaluation")
    return build(folder, prefix, "written")[0], build(folder, prefix, "compact", **COMPACT)[0]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("fresh"), **COMPACT, translations="fresh")[0]


def all_tokens(examples: PuzzleExamples) -> tuple[np.ndarray, np.ndarray]:
    sizes = np.diff(examples.puzzle_indices)
    return examples.tokens(np.arange(examples.count), np.repeat(np.arange(len(sizes)), sizes))


def test_compact_and_written_out_hold_the_same(both: tuple[Path, Path]) -> None:
    written, compact = both
    assert read_identifiers(compact) == read_identifiers(written)
    assert read_test_puzzles(compact) == read_test_puzzles(written)
    for name in ("train", "test"):
        one, other = (open_split(dataset, name) for dataset in both)
        assert one.metadata == other.metadata
        for key in ("puzzle_identifiers", "puzzle_indices", "group_indices"):
            np.testing.assert_array_equal(getattr(one.sets["all"], key), getattr(other.sets["all"], key))
        for left, right in zip(all_tokens(one.sets["all"]), all_tokens(other.sets["all"]), strict=True):
            np.testing.assert_array_equal(left, right)


def test_fresh_translations_move_the_same_grids_at_each_visit(fresh: Path) -> None:
    data = TrainingData([fresh], seed=1, global_batch_size=16, epochs_per_iteration=40)
    seen: dict[tuple[int, bytes], set[bytes]] = {}
    corners = total = 0
    for batch in data.batches():
        for tokens, identifier in zip(batch.inputs.numpy(), batch.puzzle_identifiers.tolist(), strict=True):
            canvas = tokens.reshape(12, 12)
            lines = canvas[(canvas > 1).any(1)][:, (canvas > 1).any(0)]
            seen.setdefault((identifier, bytes(lines)), set()).add(bytes(tokens))
            corners += canvas[0, 0] > 1
            total += 1
    assert max(map(len, seen.values())) > 2
    assert 0.25 < corners / total < 0.6  # one of 2 to 4 examples of each visited puzzle


def test_fresh_translations_are_repeated_after_resuming_and_on_several_ranks(fresh: Path) -> None:
    def second_batch(rank: int = 0, world: int = 1, resume: bool = False) -> np.ndarray:
        options: dict[str, Any] = {"seed": 1, "global_batch_size": 16, "epochs_per_iteration": 9}
        data, again = (TrainingData([fresh], **options, rank=rank, world_size=world) for _ in range(2))
        data.next_batch()
        if resume:
            again.restore(data.state())
        batch = (again if resume else data).next_batch()
        assert batch is not None
        return batch.inputs.numpy()

    np.testing.assert_array_equal(second_batch(), second_batch(resume=True))
    ranks = [second_batch(rank, 2) for rank in range(2)]
    np.testing.assert_array_equal(second_batch(), np.concatenate(ranks))


def test_only_free_slots_get_rows_and_the_draws_go_on_as_if_all_did(both: tuple[Path, Path]) -> None:
    options: dict[str, Any] = {"seed": 1, "global_batch_size": 8, "epochs_per_iteration": 3}
    generator = np.random.default_rng(0)
    for dataset in both:
        every, some = (TrainingData([dataset], **options) for _ in range(2))
        for share in (0.5, 0.0, 1.0, 0.5):
            free = generator.random(8) < share
            whole, part = every.next_batch(), some.next_batch(free)
            assert whole is not None
            assert part is not None
            for field in ("inputs", "labels", "puzzle_identifiers"):
                assert getattr(part, field)[free].equal(getattr(whole, field)[free])
            assert (part.labels[~free] == IGNORE_LABEL).all()
            assert (part.puzzle_identifiers[~free] == 0).all()
