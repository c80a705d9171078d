"""Recorded cases replayed on any device, with the relative errors of what comes out."""

import json
from collections.abc import Iterator
from typing import Any

import torch

from tests.golden.cases import GOLDEN_DIR, PREFIX, Case, RecordedRandom, load, relative_error
from trm.losses import TOKEN_LOSSES
from trm.optim import AdamAtan2
from trm.puzzle_embedding import SignSGD
from trm.supervision import StepOutput, Supervision
from trm_lab.cluster.ranks import Ranks

CPU = torch.device("cpu")


def train(case: Case, supervision: Supervision[Any], device: torch.device = CPU) -> Iterator[tuple[int, StepOutput]]:
    """Replay the recorded training; yields after backward and before the update of each step."""
    s, model = case.settings, supervision.model
    model.to(device).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=s["lr"], betas=tuple(s["betas"]), weight_decay=s["weight_decay"]
    )
    assert model.puzzle_emb is not None
    sign_sgd = SignSGD(model.puzzle_emb, s["puzzle_emb_weight_decay"], Ranks(device=device))
    carry = supervision.initial_carry(case.batch("step0/batch").to(device))
    for t in range(s["steps"]):
        key = f"step{t}/path_scores"
        scores = case[key] if key in case.recorded else None
        batch = case.batch(f"step{t}/batch").to(device)
        output = supervision.step(carry, batch, RecordedRandom(scores, len(carry.steps)))
        carry = output.carry
        (output.loss / s["grad_divisor"]).backward()
        yield t, output
        sign_sgd.step(s["puzzle_emb_lr"])
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def evaluate(case: Case, supervision: Supervision[Any], device: torch.device = CPU) -> Iterator[tuple[int, StepOutput]]:
    """Answer the recorded batch, step by step."""
    batch = case.batch("eval/batch").to(device)
    carry = supervision.initial_carry(batch)
    for k in range(case.settings["eval_steps"]):
        with torch.no_grad():
            output = supervision.step(carry, batch, RecordedRandom(None, len(carry.steps)))
        carry = output.carry
        yield k, output


def first_step_errors(case: Case, dtype: str, device: torch.device = CPU) -> dict[str, float]:
    """Of the first step's logits, loss and gradients; KeyError if other weights have gradients than recorded."""
    supervision = case.supervision(dtype)
    _, output = next(train(case, supervision, device))
    model = supervision.model
    errors = {
        "logits": relative_error(output.logits, case["step0/logits"]),
        "loss": relative_error(output.loss, case["step0/loss_sum"]),
    }
    expected = case.under(f"grad0/{PREFIX}")
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if gradients.keys() != expected.keys():
        raise KeyError(f"gradients of {gradients.keys() ^ expected.keys()}")
    assert model.puzzle_emb is not None
    (lookup,) = model.puzzle_emb.lookups
    assert lookup.rows.grad is not None
    errors |= {f"gradient of {name}": relative_error(g, expected[name]) for name, g in gradients.items()}
    return errors | {"puzzle rows": relative_error(lookup.rows.grad, case["grad0/puzzle_emb_rows"])}


def last_errors(case: Case, device: torch.device) -> dict[str, float]:
    """Of the weights after all updates in float64, and of an evaluation's logits with them."""
    supervision = case.supervision()
    for _ in train(case, supervision, device):
        pass
    weights, recorded = supervision.model.state_dict(), case.under(f"final/{PREFIX}")
    errors = {name: relative_error(weights[name], expected) for name, expected in recorded.items()}
    for k, output in evaluate(case, supervision, device):
        errors[f"evaluation, step {k}"] = relative_error(output.logits, case[f"eval/step{k}/logits"])
    return errors


def token_loss_errors(device: torch.device) -> dict[str, float]:
    """Of each token loss and of its gradient."""
    recorded = {k: torch.from_numpy(v) for k, v in load(GOLDEN_DIR / "losses.npz").items()}
    errors = {}
    for name, loss in TOKEN_LOSSES.items():
        logits = recorded["logits"].to(device).detach().clone().requires_grad_()
        losses = loss(logits, recorded["labels"].to(device))
        losses.sum().backward()
        assert logits.grad is not None
        errors[name] = relative_error(losses, recorded[name])
        errors[f"gradient of {name}"] = relative_error(logits.grad, recorded[f"{name}/grad"])
    return errors


def adam_atan2_errors(device: torch.device) -> dict[str, float]:
    """Of the weights after each update in float64."""
    recorded = load(GOLDEN_DIR / "adam_atan2.npz")
    hyper = json.loads(str(recorded["hyper"]))
    parameter = torch.nn.Parameter(torch.from_numpy(recorded["p0"]).to(device).clone())
    optimizer = AdamAtan2([parameter], lr=hyper["lr"], betas=tuple(hyper["betas"]), weight_decay=hyper["weight_decay"])
    errors = {}
    for t in range(1, 1 + sum(key.startswith("g") for key in recorded)):
        parameter.grad = torch.from_numpy(recorded[f"g{t}"]).to(device)
        optimizer.step()
        errors[f"update {t}"] = relative_error(parameter, torch.from_numpy(recorded[f"p{t}"]))
    return errors
