"""What a checkpoint says of the puzzles that it was trained on, so that it answers others where no dataset is at hand.

A run's checkpoint keeps it in state.json, an export as JSON text in its configuration; both may be a stranger's.
"""

import json
import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from trm.errors import UserError, shown
from trm_lab.files.untrusted import parse_json
from trm_lab.puzzles.datasets import PuzzleData
from trm_lab.puzzles.layout import LARGEST_VOCABULARY, METADATA_FILE, TEST_PUZZLES_FILE, PuzzleMetadata
from trm_lab.puzzles.manifest import About, read_about
from trm_lab.puzzles.tokens.notation import KIND as PLAIN
from trm_lab.puzzles.tokens.notation import tokens_facts

KEY = "puzzle"  # in a checkpoint's state, and in an export's configuration
LONGEST = 1 << 16  # characters of a description as JSON
LONGEST_TEXT = 200  # characters of a name
MOST_TOKENS = 1 << 16  # of an example
ARC_VOCABULARY = 12


@dataclass(frozen=True)
class PuzzleDescription:
    """The puzzles that a model knows.

    name: of the dataset, as it names itself.
    kind: a key of `trm_lab.puzzles.kinds.KINDS`, "tokens" where the dataset names none; "" for ARC, and where nothing
      tells (datasets without a manifest, checkpoints of earlier versions).
    seq_len: tokens of an example.  vocab_size: different tokens.
    facts: of the dataset, which its kind needs to read and to judge (`About.facts`).

    Raises:
        ValueError: a value of another type, or out of bounds.
    """

    name: str
    kind: str
    seq_len: int
    vocab_size: int
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("name", "kind"):
            text = getattr(self, key)
            if not isinstance(text, str) or not text.isprintable() or len(text) > LONGEST_TEXT:
                raise ValueError(f"{key}={shown(repr(text))}")
        for key, most in (("seq_len", MOST_TOKENS), ("vocab_size", LARGEST_VOCABULARY)):
            number = getattr(self, key)
            if type(number) is not int or not 1 <= number <= most:
                raise ValueError(f"{key}={shown(repr(number))}, not in 1..{most}")
        if not isinstance(self.facts, dict):
            raise ValueError(f"facts={shown(repr(self.facts))}")
        if len(self.encoded()) > LONGEST:
            raise ValueError(f"facts of more than {LONGEST:,} characters")

    @classmethod
    def of(cls, data: PuzzleData) -> "PuzzleDescription":
        """The puzzles of opened datasets; of several, the first one's name and facts, and the kind that all have."""
        kinds = {"" if each.about is None else each.about.scorer for each in data.sets}
        return _of(data.metadata, data.sets[0].about, data.paths[0], kinds)

    @classmethod
    def of_dataset(cls, folder: Path | str) -> "PuzzleDescription":
        """The puzzles of a dataset's folder, whose arrays are not opened.

        Raises:
            UserError: there is no dataset, or a broken one.
        """
        splits = [Path(folder) / split for split in ("test", "train")]
        split = next((each for each in splits if (each / METADATA_FILE).is_file()), splits[0])
        if not split.is_dir():
            raise UserError(
                f"no dataset at {folder}", "the folder of a dataset that a builder wrote", "check the path, or build it"
            )
        about = read_about(folder)
        return _of(PuzzleMetadata.read(split), about, Path(folder))

    @classmethod
    def read(cls, content: Any) -> "PuzzleDescription":
        """A description from what `as_dict` or `encoded` gave.

        Raises:
            ValueError: the content is no description.
        """
        keys = parse_json(content[: LONGEST + 1]) if isinstance(content, str) else content
        if not isinstance(keys, dict):
            raise ValueError(f"{shown(repr(content))} where a description of the puzzles is expected")
        try:
            return cls(**keys)
        except TypeError as error:  # a missing or an unknown key
            raise ValueError(shown(str(error))) from error

    @property
    def is_arc(self) -> bool:
        """Whether these are ARC's tasks on a canvas."""
        is_canvas = math.isqrt(self.seq_len) ** 2 == self.seq_len
        return not self.kind and self.vocab_size == ARC_VOCABULARY and is_canvas

    @property
    def as_tokens(self) -> "PuzzleDescription":
        """The same puzzles, asked and answered in the tokens of their dataset."""
        return replace(self, kind=PLAIN, facts=tokens_facts(self.vocab_size))

    @property
    def about(self) -> About:
        """The description as what a dataset says of itself (`About`)."""
        return About(self.name, 0, "", self.kind, self.facts)

    def as_dict(self) -> dict[str, Any]:
        """The description as JSON values."""
        return asdict(self)

    def encoded(self) -> str:
        """The description as JSON in ASCII, in which a configuration finds no interpolation."""
        return json.dumps(self.as_dict(), allow_nan=False).replace("${", "\\u0024{")


def _of(metadata: PuzzleMetadata, about: About | None, folder: Path, kinds: Collection[str] = ()) -> PuzzleDescription:
    shape = metadata.seq_len, metadata.vocab_size
    name = folder.resolve().name[:LONGEST_TEXT] if about is None else about.name
    if about is None or len(kinds) > 1:
        return PuzzleDescription(name if name.isprintable() else "", "", *shape)
    if not about.scorer and not (folder / TEST_PUZZLES_FILE).exists():
        return PuzzleDescription(name, "", *shape).as_tokens
    try:
        return PuzzleDescription(name, about.scorer, *shape, about.facts)
    except ValueError:  # facts longer than a checkpoint carries
        return PuzzleDescription(name, "", *shape)


PUBLISHED = (
    PuzzleDescription("arc", "", 900, ARC_VOCABULARY),
    PuzzleDescription("sudoku-extreme", "sudoku", 81, 11, {"size": 9, "box_rows": 3, "box_columns": 3}),
    PuzzleDescription("maze-30x30", "maze", 900, 6, {"side": 30}),
    PuzzleDescription("nqueens-8", "queens", 64, 3, {"side": 8}),
)  # the shapes of the published datasets, each of another vocabulary
