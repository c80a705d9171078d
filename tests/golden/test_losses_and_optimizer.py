"""Token losses and Adam-atan2 equal the published implementations'."""

from tests.golden.replay import CPU, adam_atan2_errors, token_loss_errors


def test_token_losses_and_their_gradients_agree() -> None:
    assert {name: error for name, error in token_loss_errors(CPU).items() if not error < 1e-6} == {}


def test_adam_atan2_agrees_in_float64() -> None:
    assert {name: error for name, error in adam_atan2_errors(CPU).items() if not error < 1e-12} == {}
