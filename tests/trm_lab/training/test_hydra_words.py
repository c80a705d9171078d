"""A Hydra command line: what is wrong with a word, in three parts, and how to write it."""

import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf.errors import ConfigKeyError

from trm.errors import UserError
from trm_lab.configuration.train_config import known_keys
from trm_lab.training.hydra_words import as_user_errors, check_one_value, parsed, split_words
from trm_lab.training.overrides import CONFIGS, check_swept_values, normalise, run_hydra

KNOWN = known_keys()


def read(word: str) -> None:
    for normal in normalise([word]):
        check_one_value(parsed(normal, KNOWN))


def refused(word: str) -> UserError:
    with pytest.raises(UserError) as caught:
        read(word)
    assert str(caught.value).count("\n") == 2
    assert "HYDRA_FULL_ERROR" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("lr", "did you mean lr=<value>?"),
        ("wibble", "write key=<value>"),
        ("=3", "name the key"),
        ("", "name the key"),
        ("lr==3", "type 'lr=\"=3\"'"),
        ("checkpoint_path=runs/a=b", "type 'checkpoint_path=\"runs/a=b\"'"),
        ("checkpoint_path=runs/a(1)", "type 'checkpoint_path=\"runs/a(1)\"'"),
        ("data_paths=[data/a=b,data/c]", 'type \'data_paths=["data/a=b","data/c"]\''),
        ("data_paths=[data/a", "type 'data_paths=[\"data/a\"]'"),
        ("run_name=ünï", "type 'run_name=\"ünï\"'"),
        ("run_name=it's", "type 'run_name=\"it'\\''s\"'"),
        ("lr=1,2", "-m starts a run for each"),
        ("data_paths=a,b", 'a list: \'data_paths=["a","b"]\''),
        ("run_name=a,b", "a text with a comma: 'run_name=\"a,b\"'"),
        ("arch=trm,dis", "-m starts a run for each"),
        ("~nope", "see `--help`"),
        ("~optimizer", "set it: optimizer=…"),
        ("~arch", "set it: arch=…"),
        ("lr = 3", "type lr=3"),
        ("LR=3", "did you mean 'lr'?"),
        ("+++lr=1", "type lr=1"),
        ("arch.lr=1", "did you mean 'lr'?"),
        ("arch=nope", "choose one of these"),
        ("experiment=typo", "choose one of these"),
        ("run_name=" + "[" * 1200, "type"),
    ],
)
def test_a_word_that_cannot_be_used_is_answered_with_one_that_can(word: str, remedy: str) -> None:
    assert remedy in refused(word).remedy


def test_the_quoting_that_is_named_is_one_that_hydra_reads_as_it_was_meant() -> None:
    for value in ("runs/a=b", "a(b", "x,y", "ünï", 'a"b', "#x", "a;b", "{a"):
        word = refused(f"checkpoint_path={value}").remedy.split("'", 1)[1].rsplit("'", 1)[0]
        assert OverridesParser.create().parse_override(word).value() == value


def test_an_experiment_near_no_name_lists_them_all() -> None:
    names = refused("experiment=typo").allowed.split(" | ")
    assert names == sorted(file.stem for file in (CONFIGS / "experiment").glob("*.yaml"))


def test_a_method_or_a_recursion_that_nobody_registered_says_where_one_does() -> None:
    for word, near, registry in (
        ("arch=actt", "arch=act", "METHODS"),
        ("recursion=six", "recursion=six_z", "RECURSIONS"),
    ):
        remedy = refused(word).remedy
        assert remedy.startswith(f"did you mean {near}?")
        assert f"registered in {registry} by a file in trm_lab/extensions" in remedy


def test_no_experiment_may_be_asked_for() -> None:
    assert normalise(["experiment=null", "~data_build.x"]) == ["experiment=null", "~data_build.x"]


def test_a_name_that_looks_like_a_number_stays_a_name_and_a_home_folder_is_read() -> None:
    words = normalise(["run_name=1e3", "checkpoint_path=~/runs/a", "lr=1e-3"])
    assert words == ['++run_name="1e3"', '++checkpoint_path="~/runs/a"', "++lr=1e-3"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--config-name", "cfg_pretrian"], "did you mean --config-name cfg_pretrain?"),
        (["--config-name", "nope"], "cfg_pretrain | common | train_arc_tiny_corrupt"),
        (["--config-dir", "nowhere"], "no folder nowhere"),
        (["--config-path", "nowhere"], "no folder nowhere"),
        (["--lr", "3"], "did you mean lr=<value>?"),
        (["--mutirun"], "did you mean --multirun?"),
        (["--cfg", "nope"], "invalid choice"),
        (["-x"], "unrecognized arguments"),
        (["--resolve"], "--resolve without --cfg"),
        (["--package", "arch"], "--package without --cfg"),
        (["--shell-completion"], "--shell-completion is no flag"),
        (["--experimental-rerun", "x"], "--experimental-rerun is no flag"),
    ],
)
def test_a_flag_that_is_none_or_leads_nowhere_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(UserError) as caught:
        split_words(words, CONFIGS)
    assert says in str(caught.value)


def test_flags_and_overrides_are_told_apart() -> None:
    flags, words, _ = split_words(["lr=1", "--cfg", "job", "~ema", "-cn", "common", "seed=2"], CONFIGS)
    assert flags == ["--cfg", "job", "-cn", "common"]
    assert words == ["lr=1", "~ema", "seed=2"]


@pytest.mark.parametrize("word", ["++lr=1e-3,-1", "++arch.L_layers=range(0,3)", "++seed=1,x"])
def test_a_sweep_s_values_are_all_checked_before_the_first_run(word: str) -> None:
    with pytest.raises(UserError):
        check_swept_values(parsed(word, KNOWN))


def test_what_hydra_raises_is_as_user_errors() -> None:
    with pytest.raises(UserError, match="no such key"), as_user_errors():
        raise ConfigKeyError("no such key\nand much more")


def test_an_error_of_the_command_line_ends_with_its_text_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["pretrain.py", "lr"])
    with pytest.raises(SystemExit) as ended:
        run_hydra(lambda: None)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: 'lr' has no value\n  allowed: ")
