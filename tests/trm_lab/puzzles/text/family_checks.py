"""What is checked of every family of questions, and reading a built set back."""

import itertools
from pathlib import Path

import numpy as np

from trm.randomness import numpy_generator
from trm_lab.puzzles.manifest import About, read_about
from trm_lab.puzzles.text.question_sets import PRINTABLE
from trm_lab.puzzles.text.questions import Family, Problem, Template
from trm_lab.puzzles.text.tokens import MASK, PAD, TextTokens


def problems(family: Family, count: int, seed: int = 3) -> list[Problem]:
    """`count` questions of a family, whatever its balance."""
    random = numpy_generator(seed, "test")
    share = -(-count // len(family.templates))
    return [p for template in family.templates for p in itertools.islice(template.questions(random), share)]


def check_family(family: Family, question_length: int, answer_length: int, smallest: int) -> None:
    """Nearly all questions fit, in printable characters; each template has `smallest` that differ, or more."""
    drawn = problems(family, 300)
    fitting = [len(q) <= question_length and len(a) < answer_length for q, a in drawn]
    assert np.mean(fitting) > 0.95
    assert set("".join(q + a for q, a in drawn)) <= set(PRINTABLE)
    for template in family.templates:
        assert template.size > smallest
        check_choices_show(template)


def check_choices_show(template: Template) -> None:
    """Changing any one choice changes the question, and so do random changes of all: the choices count questions."""
    random = numpy_generator(1, "choices")
    spaces = template.spaces.values()
    choices = {tuple(int(random.integers(len(s))) for s in spaces) for _ in range(200)}
    for choice in list(choices)[:20]:
        for place, space in enumerate(spaces):
            choices |= {
                (*choice[:place], int(random.integers(len(space))), *choice[place + 1 :]) for _ in range(5)
            }
    assert len({template.problem(choice)[0] for choice in choices}) == len(choices)


def read(dataset: Path) -> tuple[About, dict[str, list[Problem]]]:
    """What a dataset says of itself, and its questions and answers as texts; the answers are masked in the input."""
    about = read_about(dataset)
    assert about is not None
    tokens, length = TextTokens.from_facts(about.facts), about.facts["question_length"]
    texts = {}
    for split in ("train", "test"):
        inputs, labels = arrays(dataset, split)
        assert (inputs[:, length:] == MASK).all()
        assert (labels[:, :length] == PAD).all()
        assert (labels[:, length:] > MASK).all()
        questions = [tokens.decode(row[:length]) for row in inputs]
        texts[split] = list(zip(questions, tokens.decode_answers(labels, length), strict=True))
    return about, texts


def arrays(dataset: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of a split."""
    inputs, labels = (np.load(dataset / split / f"all__{name}.npy") for name in ("inputs", "labels"))
    return inputs, labels
