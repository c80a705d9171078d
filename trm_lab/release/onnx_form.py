"""One supervision step as an ONNX graph, and what a caller needs beside it: for programs without PyTorch.

step.onnx  step.json  start.npz  identifiers.json  README.md
B batch, P puzzle tokens, L grid tokens, D hidden, E puzzle embedding width, V vocabulary.
"""

import importlib.util
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.model import TRMConfig
from trm.randomness import SeededStepRandom, torch_generator
from trm.recursion import Latents
from trm.supervision import Supervision
from trm_lab.inference.arc_checkpoint import one_puzzle_metadata, supervision_with_rows
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.release.card import KINDS
from trm_lab.release.recorded import Recorded
from trm_lab.runs.exported_form import EXPORT_MARK, write_names
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS

GRAPH, ABOUT, START, CARD = "step.onnx", "step.json", "start.npz", "README.md"
FILES = (GRAPH, ABOUT, START, IDENTIFIERS_FILE, CARD)
HEADS = ("logits", "q_halt")
OPSET = 17  # read by onnxruntime 1.12 and newer
TOLERANCE = 1e-3  # of a difference from PyTorch, relative to the largest number of that output
_PROBED, _STEPS = 3, 6  # examples and steps of the comparison at most
_PACKAGES = ("onnx", "onnxruntime")


@dataclass(frozen=True)
class Agreement:
    """How near the graph is to PyTorch.

    difference: of a logit, the largest.  largest: logit.  same: predicted tokens that are equal, of so many cells.
    """

    steps: int
    difference: float
    largest: float
    same: int
    cells: int

    def __str__(self) -> str:
        return (
            f"over {self.steps} steps of {_PROBED} random questions logits differ by at most {self.difference:.1e} "
            f"(the largest is {self.largest:.1f}), {self.same:,} of {self.cells:,} predicted tokens are the same"
        )


class Step(nn.Module):
    """One supervision step of a method, from the latents and the tokens that are fed to the next latents and heads."""

    def __init__(self, supervision: Supervision[Any]) -> None:
        super().__init__()
        self.supervision, self.model = supervision, supervision.model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The latents `[B, P+L, D]`, logits `[B, L, V]`, q_halt `[B]`.

        inputs: the latents, then tokens `[B, L]` and step `[B]`, both int32, then the puzzle embedding `[B, E]` where
          the architecture has one.
        """
        names = list(self.model.recursion.starts)
        tokens, step, *puzzle = inputs[len(names) :]
        x = self.supervision.embed(tokens, puzzle[0] if puzzle else None, step)
        after = self.model.recurse(dict(zip(names, inputs, strict=False)), x)
        latents = (after[name] for name in names)
        return *latents, self.model.answer_logits(after), self.model.halting_logits(after)[:, 0]


def check_packages() -> None:
    """Check that `onnx` and `onnxruntime` can be imported.

    Raises:
        UserError: one of them is not installed.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"--to onnx without the package {' and '.join(missing)}",
            "onnx, which writes the graph, and onnxruntime, which it is checked with",
            "pip install onnx onnxruntime",
        )


def write_onnx(folder: Path, opened: OpenedCheckpoint, record: Recorded) -> None:
    """Write the files into an existing folder, once the graph computes what PyTorch does; prints how near it is.

    Raises:
        UserError: the length of an example is not recorded, or the graph computes something else.
    """
    if record.seq_len is None:
        raise UserError(
            f"{opened.source} does not record how many tokens an example has",
            "a run's checkpoint, or an export of one, which records it",
            "name the run's folder",
        )
    supervision = _in_float32(opened, record.seq_len)
    inputs = _example_inputs(supervision)
    names = _write_graph(folder / GRAPH, supervision, inputs)
    agreement = compare(folder / GRAPH, supervision, opened.source)
    print(f"compared with PyTorch: {agreement}")
    about = _about(opened, record, supervision, names)
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    start = {name: opened.weights[name].float().numpy() for name in supervision.model.recursion.starts.values()}
    if PUZZLE_ROWS in opened.weights:
        rows = opened.weights[PUZZLE_ROWS].float()
        start |= {"puzzle_vectors": rows.numpy(), "puzzle_mean": rows.mean(0).numpy()}
    np.savez(folder / START, **start)  # type: ignore[arg-type]  # numpy's stub takes names for flags
    write_names(folder, record.row_names)
    (folder / CARD).write_text(_card(opened, record, about, agreement), encoding="utf-8")


def _in_float32(opened: OpenedCheckpoint, tokens: int) -> Supervision[Any]:
    """The method on the CPU in float32, with at most a few rows of its puzzle table."""
    metadata = one_puzzle_metadata(len(opened.weights["lm_head.weight"]), tokens)
    supervision = supervision_with_rows(opened, metadata, lambda table: table[:_PROBED], "float32")
    supervision.model.eval()
    return supervision


def _questions(supervision: Supervision[Any]) -> Batch:
    """Random tokens `[B, L]`, with the puzzle embeddings that there are in turn."""
    shape = supervision.model.shape
    generator = torch_generator(0, "onnx")
    tokens = torch.randint(shape.vocab_size, (_PROBED, shape.seq_len), generator=generator, dtype=torch.int32)
    puzzles = torch.arange(_PROBED, dtype=torch.int32) % shape.num_puzzle_identifiers
    return Batch(tokens, torch.full_like(tokens, IGNORE_LABEL), puzzles)


def _example_inputs(supervision: Supervision[Any], batch: int = 2) -> dict[str, Tensor]:
    """Inputs of a first step, by their names in the graph."""
    questions = _questions(supervision).rows(slice(batch))
    latents = supervision.model.initial_latents(batch)
    vectors = supervision.model.puzzle_vectors(questions.puzzle_identifiers)
    step = torch.ones(batch, dtype=torch.int32)
    first = {**_input_names(latents), "tokens": questions.inputs, "step": step}
    return first | ({} if vectors is None else {"puzzle": vectors})


def _input_names(latents: Latents) -> dict[str, Tensor]:
    """The latents by the names of the graph's inputs: a graph has no two values of one name."""
    return {f"{name}_in": latent for name, latent in latents.items()}


def _write_graph(file: Path, supervision: Supervision[Any], inputs: Mapping[str, Tensor]) -> list[str]:
    """Write the graph; returns the names of the inputs that it reads."""
    import onnx

    names, outputs = list(inputs), _outputs(supervision)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age: the newer one needs two packages more, and a minute
        torch.onnx.export(
            Step(supervision).eval(),  # the mode that the exporter puts the model back into
            tuple(inputs.values()),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in (*names, *outputs)},
        )
    return [value.name for value in onnx.load(str(file)).graph.input]


def _outputs(supervision: Supervision[Any]) -> list[str]:
    """Names of the graph's outputs, in order."""
    return [*supervision.model.recursion.starts, *HEADS]


@torch.no_grad()
def compare(graph: Path, supervision: Supervision[Any], source: str) -> Agreement:
    """Run the steps of some random questions in onnxruntime too, from PyTorch's latents and tokens before it.

    Raises:
        UserError: an output differs by more than `TOLERANCE`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    questions = _questions(supervision)
    vectors = supervision.model.puzzle_vectors(questions.puzzle_identifiers)
    carry, fed = supervision.initial_carry(questions), questions.inputs
    latents = supervision.model.initial_latents(len(questions))
    difference, largest, same, steps = 0.0, 0.0, 0, min(supervision.max_steps, _STEPS)
    for step in range(1, steps + 1):
        values = {**_input_names(latents), "tokens": fed, "step": torch.full((_PROBED,), step)}
        values |= {} if vectors is None else {"puzzle": vectors}
        outputs = session.run(None, {name: _array(values[name]) for name in names})
        rng = SeededStepRandom(0, step, _PROBED)
        output = supervision.step(carry, questions, rng)
        carry, latents = output.carry, output.carry.latents
        expected = (*latents.values(), output.logits, output.q_halt_logits)
        for name, ours, theirs in zip(_outputs(supervision), outputs, map(_array, expected), strict=True):
            _check_near(name, ours, theirs, step, source)
        difference = max(difference, float(np.abs(outputs[-2] - _array(output.logits)).max()))
        largest = max(largest, float(output.logits.abs().max()))
        same += int((outputs[-2].argmax(-1) == _array(output.predictions)).sum())
        fed = output.predictions if _feed(supervision) == "prediction" else questions.inputs
    return Agreement(steps, difference, largest, same, steps * questions.inputs.numel())


def _array(tensor: Tensor) -> NDArray[Any]:
    array = tensor.numpy()
    return array.astype(np.int32) if array.dtype == np.int64 else array


def _check_near(name: str, ours: NDArray[Any], theirs: NDArray[Any], step: int, source: str) -> None:
    difference, most = float(np.abs(ours - theirs).max()), TOLERANCE * max(1.0, float(np.abs(theirs).max()))
    if not difference <= most:  # written so that nan is refused
        raise UserError(
            f"the graph of {source} gives {name} at step {step} that differs from PyTorch's by {difference:.2g}",
            f"at most {most:.2g}",
            "a method whose step is not `Supervision.embed`, the recursion and the heads has no such graph; "
            "for TRM or DIS tell us the versions of torch and onnxruntime",
        )


def _feed(supervision: Supervision[Any]) -> str:
    """The tokens that are fed after step 1: the `question`, or the step's own `prediction`."""
    return getattr(supervision.config, "feed", "question")  # type: ignore[attr-defined]


def _about(
    opened: OpenedCheckpoint, record: Recorded, supervision: Supervision[Any], inputs: list[str]
) -> dict[str, Any]:
    """What a program must know to run the graph, and what it is of."""
    model = supervision.model
    network: TRMConfig = model.config
    puzzle = {} if opened.described_puzzle is None else opened.described_puzzle.as_dict()
    return {
        "made_by": EXPORT_MARK,
        "method": opened.arch.supervision,
        "title": opened.arch.method.name(opened.arch.as_dict()),
        "checkpoint_step": opened.step,
        "weights": record.weight_kind,
        "trained_in": opened.arch.network.forward_dtype,
        "dataset": puzzle.get("name"),
        "kind": puzzle.get("kind"),
        "facts": puzzle.get("facts"),
        "inputs": inputs,
        "outputs": _outputs(supervision),
        "latents": dict(model.recursion.starts),
        "steps": supervision.max_steps,
        "network_calls_per_step": network.network_calls,
        "feed": _feed(supervision),
        "tokens": model.shape.seq_len,
        "positions": network.puzzle_tokens + model.shape.seq_len,
        "vocabulary": model.shape.vocab_size,
        "hidden_size": network.hidden_size,
        "puzzle_embedding": network.puzzle_emb_ndim,
        "opset": OPSET,
    }


EXAMPLE = """\
import json

import numpy as np
import onnxruntime

with open("step.json") as file:
    about = json.load(file)
start = np.load("start.npz")
session = onnxruntime.InferenceSession("step.onnx")

questions = np.ones((2, about["tokens"]), np.int32)  # [B, L]: put the tokens of your questions here
batch, tokens = len(questions), questions
latents = {name: np.tile(start[vector], (batch, about["positions"], 1)) for name, vector in about["latents"].items()}
values = {}
if about["puzzle_embedding"]:  # of a puzzle that was not trained on; else the rows of start["puzzle_vectors"]
    values["puzzle"] = np.tile(start["puzzle_mean"], (batch, 1))
for step in range(1, about["steps"] + 1):
    values |= {f"{name}_in": latent for name, latent in latents.items()}
    values |= {"tokens": tokens, "step": np.full(batch, step, np.int32)}
    *after, logits, q_halt = session.run(None, {name: values[name] for name in about["inputs"]})
    latents = dict(zip(latents, after))
    answers = logits.argmax(-1).astype(np.int32)  # [B, L]
    tokens = answers if about["feed"] == "prediction" else questions
print(answers)
"""


def _card(opened: OpenedCheckpoint, record: Recorded, about: Mapping[str, Any], agreement: Agreement) -> str:
    trained_in = opened.arch.network.forward_dtype
    dtype = "float32" if trained_in == "float32" else f"float32; it was trained, and is scored, in {trained_in}"
    kind = KINDS.get(record.weight_kind or "", "not recorded")
    latents, vectors = ", ".join(about["latents"]), ", ".join(about["latents"].values())
    fed = "its own answer of the step before" if about["feed"] == "prediction" else "the question again"
    return f"""\
# {about["title"]}: one supervision step as an ONNX graph

- `{GRAPH}`: the step, opset {OPSET}, {dtype};
  weights of step {opened.step}, {kind}
- `{ABOUT}`: shapes, numbers, and what is recorded of the puzzles that it was trained on
- `{START}`: the vectors `[D]` that every answer's latents start from, {vectors}, and the puzzle embeddings, if any
- inputs: {latents}, with `_in` after each name, `[B, P+L, D]` = `[B, {about["positions"]}, {about["hidden_size"]}]`,
  tokens `[B, L]` = `[B, {about["tokens"]}]` int32; where the method has them
  step `[B]` int32, counted from 1, and puzzle `[B, E]`
- outputs: {latents}, logits `[B, L, V]` = `[B, {about["tokens"]}, {about["vocabulary"]}]`, q_halt `[B]` (a logit)
- an answer takes {about["steps"]} such steps of {about["network_calls_per_step"]} network calls; after the first step
  the network is fed {fed}
- compared with PyTorch when it was written:
  {agreement}

```bash
pip install numpy onnxruntime
```

```python
{EXAMPLE}```
"""
