"""From one ARC task to its puzzles: which augmentations to keep, and their examples as tokens.

K puzzles of a task (itself and its augmentations), N pairs, C canvas side, L = C·C tokens.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trm.puzzles.arc_augmentation import IDENTITY, Augmentation, draw_augmentations
from trm.puzzles.arc_grids import COLOURS, PAD, SWAP_SIDES, TRANSFORMS, Tokens, dihedral, encode
from trm.puzzles.arc_sources import Pair, Task

TRIES_PER_AUGMENTATION = 5

Offsets = NDArray[np.intp]  # [K, N, 2]: row and column of each pair's grids in each puzzle


def distinct_augmentations(task: Task, wanted: int, generator: np.random.Generator) -> list[Augmentation]:
    """`IDENTITY`, then up to `wanted` draws; no two leave the same set of (input, output) pairs.

    Gives up after 5·wanted draws, as published: a task with symmetric grids or few colours has fewer.
    """
    pairs = task.train + task.test
    cells = [[_pair_bytes(pair, transform) for pair in pairs] for transform in range(TRANSFORMS)]
    kept, seen = [IDENTITY], {_look(cells, IDENTITY)}
    rounds = (draw_augmentations(generator, wanted) for _ in range(TRIES_PER_AUGMENTATION))
    for augmentation in chain.from_iterable(rounds):
        look = _look(cells, augmentation)
        if look not in seen:
            seen.add(look)
            kept.append(augmentation)
        if len(kept) > wanted:
            break
    return kept


def _pair_bytes(pair: Pair, transform: int) -> tuple[bytes, bytes]:
    """The shapes and the cells of a pair, turned."""
    turned = [dihedral(grid, transform) for grid in pair.grids()]
    return bytes(side for grid in turned for side in grid.shape), b"".join(grid.tobytes() for grid in turned)


def _look(cells: Sequence[Sequence[tuple[bytes, bytes]]], augmentation: Augmentation) -> tuple[bytes, ...]:
    """What the augmented task looks like, whatever the order of its pairs."""
    recolour = bytes(augmentation.colours).ljust(256, b"\0")
    return tuple(
        sorted(shapes + grids.translate(recolour) for shapes, grids in cells[augmentation.transform])
    )


def training_offsets(
    pairs: Sequence[Pair], augmentations: Sequence[Augmentation], canvas: int, generator: np.random.Generator
) -> Offsets:
    """Offsets `[K, N, 2]`, uniform over all at which both grids fit; one random pair of each puzzle is at (0, 0)."""
    shapes = np.array([np.max([grid.shape for grid in pair.grids()], axis=0) for pair in pairs])  # [N, 2]
    sides = np.repeat(shapes[None], len(augmentations), axis=0)  # [K, N, 2]
    swapped = [one.transform in SWAP_SIDES for one in augmentations]
    sides[swapped] = sides[swapped][:, :, ::-1]
    offsets = generator.integers(0, canvas - sides + 1)
    offsets[np.arange(len(augmentations)), generator.integers(0, len(pairs), len(augmentations))] = 0
    return offsets


def encode_puzzles(
    pairs: Sequence[Pair], augmentations: Sequence[Augmentation], offsets: Offsets, canvas: int
) -> tuple[Tokens, Tokens]:
    """Tokens of inputs and of labels, each `[K·N, L]`, puzzle after puzzle; a hidden output is all PAD."""
    inputs = np.full((len(augmentations), len(pairs), canvas * canvas), PAD, np.uint8)
    labels = inputs.copy()
    transforms = np.array([one.transform for one in augmentations])  # [K]
    colours = np.array([one.colours for one in augmentations], np.uint8)  # [K, 10]
    assert colours.shape == (len(augmentations), COLOURS)
    for transform in np.unique(transforms).tolist():
        chosen = np.flatnonzero(transforms == transform)
        for index, pair in enumerate(pairs):
            rows, columns = offsets[chosen, index].T
            for tokens, grid in ((inputs, pair.input), (labels, pair.output)):
                if grid is not None:
                    grids = colours[chosen][:, dihedral(grid, transform)]  # [chosen, H, W]
                    tokens[chosen, index] = encode(grids, rows, columns, canvas)
    return inputs.reshape(-1, canvas * canvas), labels.reshape(-1, canvas * canvas)
