"""The `arch` part of a configuration, as it is written."""

from dataclasses import asdict

from trm.model import TRMConfig
from trm_lab.configuration.architecture import arch_defaults, architecture


def test_a_run_of_before_a_key_existed_is_the_same_run() -> None:
    """Its name, its configuration and the requests of its evaluations hold `arch`, compared key by key."""
    keys = asdict(TRMConfig()) | {"supervision": "dis"}
    assert "latent_noise" not in architecture(keys).as_dict()
    assert architecture({**keys, "latent_noise": 0.3}).as_dict()["latent_noise"] == 0.3
    assert "latent_noise" in arch_defaults("dis"), "the command line knows it"
    assert architecture(architecture(keys).as_dict()) == architecture(keys)
