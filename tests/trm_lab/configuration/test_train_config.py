"""Configuration: presets, published keys, and every error of a wrong key or value."""

import importlib
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest
from omegaconf import OmegaConf

from tests.runs import CONFIG_NAMES, REPOSITORY, composition
from trm.errors import UserError
from trm_lab.configuration.architecture import arch_defaults, architecture
from trm_lab.configuration.train_config import TrainConfig, train_config
from trm_lab.runs.run_directory import RunDirectory


def composed(name: str, *overrides: str) -> TrainConfig:
    script = next(script for script, config in CONFIG_NAMES.items() if config == name)
    return train_config(composition(script, *overrides))


def refused(name: str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        composed(name, *overrides)
    assert caught.value.given
    assert caught.value.allowed
    assert caught.value.remedy
    return str(caught.value)


def test_the_dis_entry_defaults_to_the_released_recipe() -> None:
    config = composed("train_arc_tiny_corrupt")
    arch = config.arch
    assert config.data_paths == ["data/arc1concept-aug-1000"]
    assert (config.global_batch_size, config.epochs, config.lr, config.puzzle_emb_lr) == (512, 200_000, 1e-4, 1e-2)
    assert (config.weight_decay, config.puzzle_emb_weight_decay, config.ema) == (0.1, 0.1, False)
    assert (config.lr_warmup_steps, config.optimizer) == (2000, "adamw")
    assert (arch["hidden_size"], arch["L_layers"], arch["num_heads"]) == (256, 1, 8)
    assert (arch["H_cycles"], arch["L_cycles"], arch["halt_max_steps"]) == (1, 2, 6)
    assert (arch["feed"], arch["target_kernel"], arch["pad_cells"]) == ("prediction", "reveal", "release")
    assert (arch["step_weights"], arch["step_index"], arch["loss_terms"]) == ("uniform", "integer", "single")


def test_the_trm_entry_defaults_to_the_published_settings() -> None:
    config = composed("cfg_pretrain")
    arch = config.arch
    assert (config.global_batch_size, config.epochs, config.lr_warmup_steps) == (768, 100_000, 2000)
    assert (config.optimizer, config.beta1, config.beta2, config.ema_rate) == ("adam_atan2", 0.9, 0.95, 0.999)
    assert (arch["hidden_size"], arch["L_layers"], arch["halt_max_steps"]) == (512, 2, 16)
    assert (arch["halt_exploration_prob"], arch["no_ACT_continue"]) == (0.1, True)


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_a_key_may_be_given_with_or_without_the_leading_plus(sign: str) -> None:
    assert composed("cfg_pretrain", f"{sign}run_name=mine", f"{sign}ema=True").run_name == "mine"


def test_the_published_command_composes() -> None:
    words = "arch=trm arch.L_layers=2 arch.H_cycles=3 arch.L_cycles=4 +run_name=x ema=True evaluators=[]"
    config = composed(
        "cfg_pretrain", 'data_paths=["data/a"]', *words.split(), "arch.mlp_t=True", "arch.pos_encodings=none"
    )
    assert config.data_paths == ["data/a"]
    assert config.evaluators == []
    assert (config.arch["H_cycles"], config.arch["L_cycles"], config.arch["mlp_t"]) == (3, 4, True)


@pytest.mark.parametrize("entry", ["cfg_pretrain", "train_arc_tiny_corrupt"])
def test_an_experiment_decides_over_the_entry_and_the_command_line_over_both(entry: str) -> None:
    config = composed(entry, "experiment=arc_mini", "epochs=10", "eval_interval=5")
    assert (config.global_batch_size, config.arch["hidden_size"], config.epochs) == (64, 96, 10)


def test_the_published_evaluator_name_is_understood() -> None:
    assert composed("cfg_pretrain", "evaluators=[{name: arc@ARC}]").evaluators == ["arc"]


def test_the_paper_preset_differs_from_the_release_in_the_table_s_rows_only() -> None:
    release, paper = (composed("train_arc_tiny_corrupt", f"arch={a}").arch for a in ("dis", "dis_paper"))
    changed = {k: paper[k] for k in release if release[k] != paper[k]}
    assert changed == {"feed": "question", "target_kernel": "mask", "pad_cells": "ignore", "step_weights": "linear"}


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("global_batchsize=8", "global_batch_size"),
        ("arch.H_cycle=2", "arch.H_cycles"),
        ("+puzzle_emb_lrr=1", "puzzle_emb_lr"),
        ("arch.loss.loss_type=softmax_cross_entropy", "arch.loss_type"),
    ],
)
def test_a_misspelt_key_names_the_nearest(word: str, nearest: str) -> None:
    assert f"did you mean {nearest!r}?" in refused("cfg_pretrain", word)


@pytest.mark.parametrize(("word", "nearest"), [("arch=tmr", "arch=trm"), ("experiment=arc_min", "experiment=arc_mini")])
def test_a_preset_that_does_not_exist_names_the_nearest(word: str, nearest: str) -> None:
    assert f"did you mean {nearest}?" in refused("cfg_pretrain", word)


@pytest.mark.parametrize(
    "words",
    [
        ("arch=trm", "arch.target_kernel=mask"),
        ("arch=trm", "arch.supervision=dis"),
        ("arch=dis", "arch.no_ACT_continue=True"),
    ],
)
def test_a_key_of_the_other_method_is_refused_by_name_and_likened_to_no_other(words: tuple[str, str]) -> None:
    text = refused("cfg_pretrain", *words)
    assert "with arch.supervision=" in text
    assert "did you mean" not in text
    assert "arch=dis" in text


def test_a_key_like_no_other_is_likened_to_none() -> None:
    assert "did you mean" not in refused("cfg_pretrain", "arch.zzz=3")


def test_a_rate_of_an_average_that_is_not_kept_is_refused() -> None:
    values: Any = {"data_paths": ["a"], "epochs": 1, "ema_rate": 0.9, "arch": composed("cfg_pretrain").arch}
    with pytest.raises(UserError, match=r"ema_rate=.* without ema=True"):
        train_config(values, {"ema_rate"})
    train_config(values, set())
    train_config(values | {"ema": True}, {"ema_rate"})


@pytest.mark.parametrize("key", ["checkpoint_path", "load_checkpoint"])
def test_a_path_reads_the_home_folder_and_is_never_empty(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    given = {"arch": {}, "data_paths": ["~/data/x"]}
    config = TrainConfig(**{**given, key: "~/runs/x"})
    assert (getattr(config, key), config.data_paths) == ("/home/somebody/runs/x", ["/home/somebody/data/x"])
    for empty in ({key: ""}, {"data_paths": [""]}, {"run_name": ""}):
        with pytest.raises(UserError):
            TrainConfig(**{**given, **empty})


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("lr=fast", "lr='fast'"),
        ("device=tpu", "auto | cpu | cuda"),
        ("optimizer=sgd", "adam_atan2 | adamw"),
        ("wandb=maybe", "auto | disabled | offline | online"),
        ("data_paths=[]", "data_paths is empty"),
        ("global_batch_size=0", "at least 1"),
        ("arch.loss_type=mse", "stablemax_cross_entropy | softmax_cross_entropy"),
        ("arch.halt_exploration_prob=2", "a probability"),
        ("epochs=1.5", "epochs=1.5"),
        ("seed=1e3", "write seed=1000"),
        ("seed=99999999999999999999999", "at most 9,223,372,036,854,775,807"),
        ("epochs=True", "a whole number"),
        ("ema=2", "True or False"),
        ("arch.mlp_t=1", "True or False"),
        ("lr=null", "lr=None"),
        ("lr=[1,2]", "a number"),
        ("lr=nan", "a number, at least 0 and at most 1"),
        ("lr=1e400", "a number, at least 0 and at most 1"),
        ("run_name=''", "a text that is not empty, or null"),
        ("load_checkpoint=''", "a text that is not empty, or null"),
        ("device=''", "a text that is not empty"),
        ("data_paths=", "a list of texts"),
        ("data_paths=[null]", "a list of texts"),
        ("arch.pos_encodings=null", "a text"),
        ("data_build=x", "keys and values"),
        ("run_name=${nope}", "Interpolation key 'nope' not found"),
        ("lr=-1", "at least 0"),
        ("beta1=1", "below 1"),
        ("arch.expansion=0", "above 0"),
        ("arch.halt_max_steps=1000000000", "at most 4,096"),
        ("evaluators=[sudoku]", "every dataset brings the scorer of its own answers"),
    ],
)
def test_a_value_of_another_type_out_of_range_or_of_no_meaning_is_refused(word: str, says: str) -> None:
    assert says in refused("cfg_pretrain", word)


def test_a_dataset_may_be_named_without_brackets() -> None:
    config = composed("cfg_pretrain", "data_paths=data/a", "data_paths_test=data/b", "evaluators=arc")
    assert (config.data_paths, config.data_paths_test, config.evaluators) == (["data/a"], ["data/b"], ["arc"])


def test_a_home_folder_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = composed("cfg_pretrain", "checkpoint_path=~/run", 'data_paths=["~/a"]')
    assert (config.checkpoint_path, config.data_paths) == ("/home/someone/run", ["/home/someone/a"])


@pytest.mark.parametrize(("epochs", "interval"), [(10, 10), (20_000, 10_000), (25_000, 12_500), (100_003, 100_003)])
def test_an_eval_interval_that_was_not_given_gives_way_to_the_next_that_divides(epochs: int, interval: int) -> None:
    values: Any = {"data_paths": ["a"], "epochs": epochs, "eval_interval": 10_000}
    values["arch"] = composed("cfg_pretrain").arch
    assert train_config(values, {"epochs"}).eval_interval == interval
    if epochs != 20_000:
        with pytest.raises(UserError, match="does not divide"):
            train_config(values, {"epochs", "eval_interval"})


def test_an_eval_interval_that_does_not_divide_epochs_is_refused_with_one_that_does() -> None:
    text = refused("cfg_pretrain", "epochs=100", "eval_interval=30")
    assert "use epochs=90, or eval_interval=25" in text


def test_an_architecture_survives_the_way_to_its_file_and_back() -> None:
    arch = composed("train_arc_tiny_corrupt").arch
    assert architecture(arch).as_dict() == arch


def test_the_default_run_directory_depends_on_what_decides_the_numbers_and_on_nothing_else() -> None:
    names = [
        RunDirectory.of(composed("cfg_pretrain", *o)).path.name
        for o in ([], ["max_steps=5", "device=cpu"], ["lr=2e-4"], ["arch.H_cycles=2"])
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_every_experiment_composes_and_its_data_can_be_built() -> None:
    for file in (REPOSITORY / "configs/experiment").glob("*.yaml"):
        config: Any = composed("cfg_pretrain", f"experiment={file.stem}")
        assert config.run_name
        for path in config.data_paths:
            module, *flags = config.data_build[path].split()[2:]
            assert path in flags
            importlib.import_module(module).command_line().parse(flags)


def test_the_printed_configuration_is_whole_and_flags_may_stand_after_overrides() -> None:
    words = [sys.executable, "pretrain.py", "lr=2e-4", "--cfg", "job", "arch.L_layers=1"]
    printed = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    config: Any = OmegaConf.to_container(OmegaConf.create(printed))
    assert (config["lr"], config["arch"]["L_layers"]) == (2e-4, 1)
    assert config.keys() == {key.name for key in fields(TrainConfig)}
    assert config["arch"].keys() == arch_defaults("act").keys()
