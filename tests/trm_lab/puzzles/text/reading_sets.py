"""Drawing questions of a family, and reading a built set back."""

import itertools
from pathlib import Path

from tests.trm_lab.puzzles.builders import about, arrays
from trm.randomness import numpy_generator
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.questions import Family, Problem
from trm_lab.puzzles.text.tokens import MASK, PAD, TextTokens


def problems(family: Family, count: int, seed: int = 3) -> list[Problem]:
    """`count` questions of a family, whatever its balance."""
    random = numpy_generator(seed, "test")
    share = -(-count // len(family.templates))
    return [p for template in family.templates for p in itertools.islice(template.questions(random), share)]


def read(dataset: Path) -> tuple[About, dict[str, list[Problem]]]:
    """What a dataset says of itself, and its questions and answers as texts; the answers are masked in the input."""
    facts = about(dataset).facts
    tokens, length = TextTokens.from_facts(facts), facts["question_length"]
    texts = {}
    for name in ("train", "test"):
        inputs, labels, _ = arrays(dataset, name)
        assert (inputs[:, length:] == MASK).all()
        assert (labels[:, :length] == PAD).all()
        assert (labels[:, length:] > MASK).all()
        questions = [tokens.decode(row[:length]) for row in inputs]
        texts[name] = list(zip(questions, tokens.decode_answers(labels, length), strict=True))
    return about(dataset), texts
