"""Token losses and Adam-atan2 equal the published implementations'."""

import json

import pytest
import torch

from tests.conftest import GOLDEN_DIR
from tests.golden.cases import load
from trm.losses import TOKEN_LOSSES
from trm.optim import AdamAtan2


@pytest.mark.parametrize("name", sorted(TOKEN_LOSSES))
def test_token_loss_and_its_gradient_agree(name: str) -> None:
    recorded = {k: torch.from_numpy(v) for k, v in load(GOLDEN_DIR / "losses.npz").items()}
    logits = recorded["logits"].clone().requires_grad_()
    losses = TOKEN_LOSSES[name](logits, recorded["labels"])
    torch.testing.assert_close(losses.double(), recorded[name].double(), rtol=1e-5, atol=1e-5)
    losses.sum().backward()
    torch.testing.assert_close(logits.grad, recorded[f"{name}/grad"], rtol=1e-5, atol=1e-5)


def test_adam_atan2_agrees_in_float64() -> None:
    recorded = load(GOLDEN_DIR / "adam_atan2.npz")
    hyper = json.loads(str(recorded["hyper"]))
    parameter = torch.nn.Parameter(torch.from_numpy(recorded["p0"]).clone())
    optimizer = AdamAtan2([parameter], lr=hyper["lr"], betas=tuple(hyper["betas"]), weight_decay=hyper["weight_decay"])
    updates = sum(key.startswith("g") for key in recorded)
    for t in range(1, updates + 1):
        parameter.grad = torch.from_numpy(recorded[f"g{t}"]).clone()
        optimizer.step()
        expected = torch.from_numpy(recorded[f"p{t}"])
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-12, atol=1e-12)
