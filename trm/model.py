"""TinyRecursiveModel: embed → recurse → heads. Knows no loss, no halting, no rank.

B batch, P puzzle tokens, L grid tokens, S = P + L, D hidden, V vocabulary.
TRM, arXiv 2510.04871, Fig. 3; names of the weights as in the published checkpoints.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from trm.errors import UserError
from trm.layers import (
    Attention,
    CastEmbedding,
    CastLinear,
    RotaryPositions,
    SwiGLU,
    at_least_float32,
    rms_norm,
    truncated_normal_,
)
from trm.puzzle_embedding import PuzzleEmbedding
from trm.randomness import torch_generator
from trm.ranges import check_ranges, ranged
from trm.recursion import RECURSIONS, Blocks, Call, Latents, make_calls

FORWARD_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
POSITIONS = ("rope", "learned", "none")
RMS_EPS = 1e-5
ROPE_BASE = 10000.0
Q_HEAD_BIAS = -5.0  # halting starts out improbable


@dataclass(frozen=True)
class TRMConfig:
    """The network's shape. Defaults are the published ARC model's.

    hidden_size: D, the width; num_heads: attention heads; expansion: SwiGLU's inner width over 2/3 of its outer one.
    pos_encodings: of positions: `rope`, `learned` or `none`; mlp_t: mix the positions by a SwiGLU instead of attention.
    recursion: the latents and their updates, one of `trm.recursion.RECURSIONS`.
    forward_dtype: of the activations: `bfloat16`, `float32` or `float64`.
    H_cycles: T, cycles in one supervision step; the first T−1 run without gradient.
    L_cycles: n, latent updates in one cycle; a recursion without any (`none`) does not read it.
    L_layers: blocks of the reasoning module; H_layers: blocks of `H_level`, which some recursions have; 0: as many.
    puzzle_emb_ndim: values of a puzzle embedding, 0: none; puzzle_emb_len: puzzle tokens P; 0: ceil(puzzle_emb_ndim/D).
    latent_noise: in training, Gaussian noise on the latents before each supervision step, in units of each latent's own
      standard deviation; not in the papers: for networks that are to be searched with noise.
    """

    hidden_size: int = ranged(512, 2, 65_536)
    num_heads: int = ranged(8, 1, 32_768)
    expansion: float = ranged(4.0, 0.0, 256.0, above=True)
    L_layers: int = ranged(2, 1, 1024)
    H_cycles: int = ranged(3, 1, 1024)
    L_cycles: int = ranged(4, 1, 1024)
    pos_encodings: str = "rope"
    mlp_t: bool = False
    puzzle_emb_ndim: int = ranged(512, 0, 2**20)
    puzzle_emb_len: int = ranged(16, 0, 4096)
    forward_dtype: str = "bfloat16"
    latent_noise: float = ranged(0.0, 0.0, 100.0)
    recursion: str = "trm"
    H_layers: int = ranged(0, 0, 1024)

    def __post_init__(self) -> None:
        check_ranges(self, "arch.")
        _one_of("arch.pos_encodings", self.pos_encodings, POSITIONS)
        _one_of("arch.forward_dtype", self.forward_dtype, tuple(FORWARD_DTYPES))
        _one_of("arch.recursion", self.recursion, tuple(RECURSIONS))
        _check_recursion(self)
        _check_heads(self)
        if self.puzzle_emb_ndim > self.puzzle_tokens * self.hidden_size:
            raise UserError(
                f"arch.puzzle_emb_ndim={self.puzzle_emb_ndim} in {self.puzzle_tokens} puzzle tokens",
                f"at most puzzle_emb_len · hidden_size = {self.puzzle_tokens * self.hidden_size}",
                "lower arch.puzzle_emb_ndim, raise arch.puzzle_emb_len, or set arch.puzzle_emb_len=0",
            )

    @property
    def puzzle_tokens(self) -> int:
        """P."""
        if self.puzzle_emb_ndim == 0:
            return 0
        return self.puzzle_emb_len or -(-self.puzzle_emb_ndim // self.hidden_size)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of activations."""
        return FORWARD_DTYPES[self.forward_dtype]

    @property
    def calls(self) -> list[Call]:
        """The network calls of one supervision step."""
        return RECURSIONS[self.recursion].calls(self.H_cycles, self.L_cycles)

    @property
    def network_calls(self) -> int:
        """Passes of a reasoning module in one supervision step; TRM's recursion: T·(n+1)."""
        return len(self.calls)

    @property
    def gradient_calls(self) -> int:
        """How many of the network calls carry gradient; TRM's recursion: n+1."""
        return RECURSIONS[self.recursion].gradient_calls(self.L_cycles)

    @property
    def modules(self) -> dict[str, int]:
        """The reasoning modules that the recursion calls, and the blocks of each."""
        blocks = {"L_level": self.L_layers, "H_level": self.H_layers or self.L_layers}
        calls = RECURSIONS[self.recursion].cycle(self.L_cycles)
        return {name: blocks[name] for name in sorted({call.module for call in calls})}

    @property
    def block_passes(self) -> tuple[int, int]:
        """Passes of a block in one supervision step: all of them, and those with gradient."""
        blocks = self.modules
        passes = [blocks[call.module] for call in self.calls]
        return sum(passes), sum(passes[len(passes) - self.gradient_calls :])


def _check_recursion(config: TRMConfig) -> None:
    """UserError for settings that the recursion cannot run with."""
    name, rule = f"arch.recursion={config.recursion}", RECURSIONS[config.recursion]
    if rule.most_updates is not None and config.L_cycles > rule.most_updates:
        given, allowed = f"arch.L_cycles={config.L_cycles} with {name}", f"1 to {rule.most_updates}"
        raise UserError(given, allowed, "lower arch.L_cycles, or choose another recursion")
    if config.H_layers and "H_level" not in config.modules:
        with_H_level = [key for key, other in RECURSIONS.items() if any(c.module == "H_level" for c in other.cycle(1))]
        raise UserError(
            f"arch.H_layers={config.H_layers} with {name}, which has no H_level",
            f"0, or one of these recursions: {' | '.join(with_H_level)}",
            "set arch.L_layers, or leave arch.H_layers out",
        )
    if rule.plain and (config.mlp_t or config.pos_encodings == "none"):
        raise UserError(
            f"arch.mlp_t={config.mlp_t} arch.pos_encodings={config.pos_encodings} with {name}",
            "attention with rope or learned positions, as the published baseline has",
            "set arch.mlp_t=False arch.pos_encodings=rope",
        )


def _check_heads(config: TRMConfig) -> None:
    """UserError for heads that have no width, or none that rotary positions could turn."""
    width, heads, plain = config.hidden_size, config.num_heads, RECURSIONS[config.recursion].plain
    fills = width % heads == 0 or (plain and heads <= width)  # the published baseline has 12 heads of 42 for 512
    even = (width // heads) % 2 == 0 or (plain and config.pos_encodings != "rope")
    if not (fills and even):
        raise UserError(
            f"arch.hidden_size={width} over arch.num_heads={heads}",
            "a hidden size that is an even multiple of the number of heads (rotary halves)",
            "change one of the two",
        )


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"{key}={value}", " | ".join(allowed), f"set {key} to one of these")


@dataclass(frozen=True)
class PuzzleShape:
    """What the network must know of the dataset."""

    seq_len: int
    vocab_size: int
    num_puzzle_identifiers: int


class Block(nn.Module):
    """Post-norm: h ← norm(h + mixer(h)); h ← norm(h + SwiGLU(h))."""

    def __init__(self, config: TRMConfig, length: int) -> None:
        super().__init__()
        self.self_attn = None if config.mlp_t else Attention(config.hidden_size, config.num_heads)
        self.mlp_t = SwiGLU(length, config.expansion) if config.mlp_t else None
        self.mlp = SwiGLU(config.hidden_size, config.expansion)

    def forward(self, h: Tensor, positions: RotaryPositions | None) -> Tensor:
        h = self.mix(h, positions)  # [B, S, D]
        return rms_norm(h + self.mlp(h), RMS_EPS)  # [B, S, D]

    def mix(self, h: Tensor, positions: RotaryPositions | None) -> Tensor:
        """Mix over positions and normalise; the MLP variant normalises along the sequence, as published."""
        if self.self_attn is not None:
            return rms_norm(h + self.self_attn(h, positions), RMS_EPS)
        assert self.mlp_t is not None
        channels = h.transpose(1, 2)  # [B, D, S]
        return rms_norm(channels + self.mlp_t(channels), RMS_EPS).transpose(1, 2)


class ReasoningModule(nn.Module):
    """Blocks one after the other."""

    def __init__(self, config: TRMConfig, length: int, layers: int, block: type[nn.Module] = Block) -> None:
        super().__init__()
        self.layers = nn.ModuleList(block(config, length) for _ in range(layers))

    def forward(self, h: Tensor, positions: RotaryPositions | None) -> Tensor:
        for layer in self.layers:
            h = layer(h, positions)
        return h


class TinyRecursiveModel(nn.Module):
    """One tiny network applied to its own answer, by the recursion that its configuration names.

    Args:
        config: the network's shape.
        shape: sequence length, vocabulary and number of puzzle identifiers of the dataset.
        step_rows: rows of the supervision-step table; 0 leaves it out (TRM).
        seed: the run's seed, which decides the initial weights.

    A subclass may name another `block`: a module made by `block(config, length)` and called as `Block` is.
    """

    block: type[nn.Module] = Block

    def __init__(self, config: TRMConfig, shape: PuzzleShape, step_rows: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.config, self.shape = config, shape
        self.recursion = RECURSIONS[config.recursion]
        self._start: Latents | None = None
        width, length = config.hidden_size, config.puzzle_tokens + shape.seq_len
        self.embed_tokens = CastEmbedding(shape.vocab_size, width, config.dtype)
        self.lm_head = CastLinear(width, shape.vocab_size)
        self.q_head = CastLinear(width, 2, bias=True)
        self.puzzle_emb = (
            PuzzleEmbedding(shape.num_puzzle_identifiers, config.puzzle_emb_ndim, config.dtype)
            if config.puzzle_emb_ndim
            else None
        )
        self.embed_pos = CastEmbedding(length, width, config.dtype) if config.pos_encodings == "learned" else None
        self.timestep_embed = CastEmbedding(step_rows, width, config.dtype) if step_rows else None
        self.rotary = (
            RotaryPositions(width // config.num_heads, length, ROPE_BASE, config.dtype)
            if config.pos_encodings == "rope"
            else None
        )
        for name, layers in config.modules.items():
            self.add_module(name, ReasoningModule(config, length, layers, self.block))
        for name in self.recursion.starts.values():
            self.register_buffer(name, torch.empty(width))
        if not self.lm_head.weight.is_meta:  # on the meta device there are shapes only
            self._initialise(torch_generator(seed, "weights"))

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        for module in self.modules():
            if isinstance(module, CastLinear | CastEmbedding):
                module.initialise(generator)
        for name in self.recursion.starts.values():
            truncated_normal_(self.get_buffer(name), 1.0, generator)
        self.q_head.weight.zero_()
        assert self.q_head.bias is not None
        self.q_head.bias.fill_(Q_HEAD_BIAS)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.lm_head.weight.device

    def initial_latents(self, slots: int) -> Latents:
        """Each latent at its fixed vector, for `slots` examples; within `starts_from`, the latents named there."""
        if self._start is not None:
            return self._start
        size = (slots, self.config.puzzle_tokens + self.shape.seq_len, self.config.hidden_size)
        starts = self.recursion.starts.items()
        return {latent: self.get_buffer(name).to(self.config.dtype).expand(size) for latent, name in starts}

    @contextmanager
    def starts_from(self, latents: Latents | None) -> Iterator[None]:
        """`with model.starts_from(latents):` examples start from these, one row each; None: from the fixed vectors."""
        self._start = latents
        try:
            yield
        finally:
            self._start = None

    def puzzle_vectors(self, puzzle_identifiers: Tensor) -> Tensor | None:
        """Each slot's puzzle embedding `[B, E]`; None where the architecture has none."""
        return None if self.puzzle_emb is None else self.puzzle_emb(puzzle_identifiers)

    def embed(self, tokens: Tensor, puzzle_vectors: Tensor | None, step: Tensor | None = None) -> Tensor:
        """x̃ `[B, P+L, D]`: tokens `[B, L]` behind the puzzle's own P tokens, of its vector `[B, E]`.

        step: `[B, D]` of each slot's step index, or None; added at all positions before the √D scale.
        """
        x = self.embed_tokens(tokens)  # [B, L, D]
        if puzzle_vectors is not None:
            x = torch.cat((self._puzzle_tokens(puzzle_vectors), x), dim=1)  # [B, P+L, D]
        if self.embed_pos is not None:
            x = 0.707106781 * (x + self.embed_pos.embedding_weight.to(x.dtype))  # 1/√2: the sum keeps its variance
        if step is not None:
            x = x + step[:, None]
        return math.sqrt(self.config.hidden_size) * x

    def _puzzle_tokens(self, vectors: Tensor) -> Tensor:
        padding = self.config.puzzle_tokens * self.config.hidden_size - vectors.shape[-1]
        return nn.functional.pad(vectors, (0, padding)).unflatten(-1, (-1, self.config.hidden_size))  # [B, P, D]

    @property
    def blocks(self) -> dict[str, Blocks]:
        """What a network call applies, by the name of its module."""
        return {name: partial(self.get_submodule(name), positions=self.rotary) for name in self.config.modules}

    def recurse(self, latents: Latents, x: Tensor) -> Latents:
        """The network calls of one supervision step, on the embedded question x `[B, P+L, D]`."""
        return make_calls(self.config.calls, self.config.gradient_calls, self.blocks, latents, x)

    def answer_logits(self, latents: Latents) -> Tensor:
        """Token logits `[B, L, V]` of the current answer, in the forward dtype."""
        return self.lm_head(latents[self.recursion.answer])[:, self.config.puzzle_tokens :]

    def halting_logits(self, latents: Latents) -> Tensor:
        """(halt, continue) logits `[B, 2]` in float32 or wider, read at position 0."""
        answer = latents[self.recursion.answer]
        return self.q_head(answer[:, 0]).to(at_least_float32(answer.dtype))
