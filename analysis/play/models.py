"""What the page must know of a model: numbers of its shape, and its weights.

P puzzle tokens, L grid tokens, S = P + L positions, D hidden, V vocabulary, N supervision steps.
"""

import math
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analysis.page.puzzle_data import drawing
from trm.errors import UserError, shown
from trm.supervision import Supervision
from trm_lab.inference.arc_checkpoint import one_puzzle_metadata, seq_len, supervision_with_rows
from trm_lab.puzzles.kinds import picture_of
from trm_lab.puzzles.sudoku.geometry import GEOMETRIES
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import EXPORTED_WEIGHTS, PUZZLE_ROWS

Json = dict[str, Any]
PLAYABLE = ("sudoku", "queens", "maze")
_VOCABULARIES = {3: "queens", 6: "maze"}


def model_folders(folder: Path) -> list[Path]:
    """The exports in a folder, or the folder itself where it is a checkpoint of any form.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.exists():
        raise UserError(
            f"no weights at {shown(folder)}",
            "a run, a checkpoint, an export, or a folder of exports",
            "make one: python export.py RUN --to hub --output-dir FOLDER/NAME",
        )
    exports = sorted(file.parent for file in folder.glob(f"*/{EXPORTED_WEIGHTS}"))
    return exports or [folder]


def puzzle_sets(checkpoints: list[OpenedCheckpoint]) -> list[Json]:
    """The kinds and sizes of puzzles that there are models for, each with its drawing and its models, for the page.

    Raises:
        UserError: a model of puzzles that the page has no rules for.
    """
    sets: dict[tuple[str, int], Json] = {}
    for opened in checkpoints:
        kind, tokens, facts = _puzzle(opened)
        picture = picture_of(kind, facts)
        assert picture is not None
        empty: Json = {"kind": kind, "tokens": tokens, "drawing": drawing(picture), "models": []}
        sets.setdefault((kind, tokens), empty)["models"].append(model_data(opened, tokens))
    return sorted(sets.values(), key=lambda each: (PLAYABLE.index(each["kind"]), each["tokens"]))


def _puzzle(opened: OpenedCheckpoint) -> tuple[str, int, Mapping[str, Any]]:
    """Kind, L and facts of the puzzles that a model was trained on; else by its vocabulary and L."""
    puzzle = opened.described_puzzle
    if puzzle is not None and puzzle.kind in PLAYABLE:
        return puzzle.kind, puzzle.seq_len, puzzle.facts
    tokens, vocabulary = seq_len(opened) or 0, len(opened.weights["lm_head.weight"])
    side = math.isqrt(tokens)
    if puzzle is None and side**2 == tokens > 0:
        geometry = GEOMETRIES.get(side)
        if geometry is not None and vocabulary == side + 2:
            boxes = {"box_rows": geometry.box_rows, "box_columns": geometry.box_columns}
            return "sudoku", tokens, {"size": side, **boxes}
        if vocabulary in _VOCABULARIES:
            return _VOCABULARIES[vocabulary], tokens, {"side": side}
    raise UserError(
        f"{shown(opened.source)} answers no puzzles of these kinds, or does not record which",
        " | ".join(PLAYABLE),
        "choose a checkpoint that was trained on one of them",
    )


def model_data(opened: OpenedCheckpoint, tokens: int) -> Json:
    """A model as the page's network reads it (network.js): numbers by name, and float32 tensors one after the other.

    Embeddings are given as what they add to x̃: a vector for each token, place and step.
    """
    supervision = _in_float64(opened, tokens)
    model, network = supervision.model, opened.arch.network
    tensors = _embeddings(supervision)
    for name, tensor in model.state_dict().items():
        if ".layers." in name:
            tensors[name.removesuffix(".weight")] = tensor
    if model.rotary is not None and not network.mlp_t:
        tensors |= {"cos": model.rotary.cos, "sin": model.rotary.sin}
    tensors |= {name: model.get_buffer(name) for name in model.recursion.starts.values()}
    tensors |= {"lm_head": model.lm_head.weight, "q_halt": model.q_head.weight[:1]}
    assert model.q_head.bias is not None
    return {
        "method": opened.arch.method.title,
        "title": opened.arch.method.name(opened.arch.as_dict()),
        "halts": opened.arch.method.supervision.fixed_steps is False,
        "steps": supervision.max_steps,
        "calls": network.network_calls,
        "recursion": [asdict(call) for call in network.calls],
        "starts": dict(model.recursion.starts),
        "answer": model.recursion.answer,
        "feed": getattr(opened.arch.settings, "feed", "question"),
        "loss": supervision.loss_type,
        "hidden": network.hidden_size,
        "heads": network.num_heads,
        "layers": network.modules,
        "mlp_t": network.mlp_t,
        "puzzle_tokens": network.puzzle_tokens,
        "tokens": tokens,
        "vocabulary": model.shape.vocab_size,
        "parameters": sum(tensor.numel() for name, tensor in opened.weights.items() if name != PUZZLE_ROWS),
        "updates_trained": opened.step,
        "q_halt_bias": model.q_head.bias[0].item(),
        "tensors": [[name, list(tensor.shape)] for name, tensor in tensors.items()],
        "weights": b64encode(b"".join(map(_packed, tensors.values()))).decode(),
    }


def _packed(tensor: Tensor) -> bytes:
    return tensor.detach().numpy().astype("<f4").tobytes()


def _in_float64(opened: OpenedCheckpoint, tokens: int) -> Supervision[Any]:
    """The method on the CPU; its one puzzle embedding, where there are several, is their mean."""
    metadata = one_puzzle_metadata(len(opened.weights["lm_head.weight"]), tokens)
    supervision = supervision_with_rows(opened, metadata, lambda table: table.mean(0, keepdim=True), "float64")
    supervision.model.eval()
    return supervision


@torch.no_grad()
def _embeddings(supervision: Supervision[Any]) -> dict[str, Tensor]:
    """x̃ taken apart: what token v adds `[V, D]`, what the place `[S, D]` and what step s of N `[N, D]`.

    They are differences of x̃ in float64, whatever the architecture adds and scales.
    """
    model, N = supervision.model, supervision.max_steps
    V, L = model.shape.vocab_size, model.shape.seq_len

    def embed(tokens: Tensor, steps: Tensor) -> Tensor:
        vectors = model.puzzle_vectors(torch.zeros(len(tokens), dtype=torch.int32))
        return supervision.embed(tokens[:, None].expand(-1, L), vectors, steps)  # [B, S, D]

    by_token = embed(torch.arange(V), torch.ones(V, dtype=torch.int32))
    by_step = embed(torch.zeros(N, dtype=torch.int64), torch.arange(1, N + 1, dtype=torch.int32))
    return {
        "token_vectors": by_token[:, -1] - by_token[0, -1],
        "place_vectors": by_token[0],
        "step_vectors": by_step[:, -1] - by_step[0, -1],
    }
