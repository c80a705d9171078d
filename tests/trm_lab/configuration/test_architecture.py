"""The `arch` part of a configuration, as it is written."""

from dataclasses import asdict

import pytest

from trm.errors import UserError
from trm.model import TRMConfig
from trm_lab.configuration.architecture import arch_defaults, architecture


def test_a_run_of_before_a_key_existed_is_the_same_run() -> None:
    """Its name, its configuration and the requests of its evaluations hold `arch`, compared key by key."""
    keys = asdict(TRMConfig()) | {"supervision": "dis"}
    assert "latent_noise" not in architecture(keys).as_dict()
    assert architecture({**keys, "latent_noise": 0.3}).as_dict()["latent_noise"] == 0.3
    assert "latent_noise" in arch_defaults("dis"), "the command line knows it"
    assert architecture(architecture(keys).as_dict()) == architecture(keys)


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("targets", "corrupton", "did you mean arch.targets=corruption?; one of your own is registered in TARGETS"),
        ("targets", "x", "set arch.targets to one of these; one of your own is registered in TARGETS"),
        ("recursion", "six", "did you mean arch.recursion=six_z?; one of your own is registered in RECURSIONS"),
        ("target_order", "randon", "did you mean arch.target_order=random?"),
    ],
)
def test_an_unknown_name_is_answered_by_the_nearest_and_by_where_names_are_registered(
    key: str, value: str, remedy: str
) -> None:
    with pytest.raises(UserError) as caught:
        architecture(asdict(TRMConfig()) | {"supervision": "dis", key: value})
    assert caught.value.remedy.startswith(remedy)
