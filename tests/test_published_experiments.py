"""Each published run is a command at the head of an experiment, with its source's values, and every claim has one."""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from analysis.claims.claims import Claim, read_claims
from tests.infra.compositions import composed
from tests.runs import REPOSITORY
from trm_lab.configuration.architecture import arch_defaults
from trm_lab.configuration.train_config import TrainConfig, run_defaults

CONFIGS = REPOSITORY / "configs"


class Published(NamedTuple):
    """What a source says of a run: the network, N_sup, and how it was trained."""

    supervision: str
    hidden_size: int
    layers: int
    T: int
    n: int
    steps: int
    batch: int
    epochs: int
    eval_interval: int
    lr: float
    puzzle_emb_lr: float
    decay: float
    warmup: int
    ema: bool
    optimizer: str
    mixer: str = "attention"


TRM = "act", 512, 2, 3
ADAM = 2000, True, "adam_atan2"
DOUBLED = 4000, True, "adam_atan2"
PUZZLES = 50_000, 5000, 1e-4, 1e-4, 1.0  # epochs, evaluations, rates and decay of Sudoku and Maze
PUZZLES_DOUBLED = 50_000, 5000, 2e-4, 1e-4, 1.0
ARC = 100_000, 10_000, 1e-4, 1e-2, 0.1
ARC_DOUBLED = 100_000, 5000, 2e-4, 1e-2, 0.1
RELEASED = 200_000, 5000, 1e-4, 1e-2, 0.1, 2000, False  # of DIS
RELEASED_DOUBLED = 200_000, 5000, 2e-4, 1e-2, 0.1, 4000, False

TABLE = {  # by the name of the run
    # TRM's repository
    "sudoku_trm_attention": Published(*TRM, 6, 16, 768, *PUZZLES, *ADAM),
    "sudoku_trm_mlp": Published(*TRM, 6, 16, 768, *PUZZLES, *ADAM, "mlp"),
    "maze_trm_attention": Published(*TRM, 4, 16, 768, *PUZZLES, *ADAM),
    "maze_trm_attention_1gpu": Published(*TRM, 4, 16, 128, *PUZZLES, *ADAM),
    "arc1_trm_attention": Published(*TRM, 4, 16, 768, *ARC, *ADAM),
    "arc1_trm_attention_1gpu": Published(*TRM, 4, 16, 768, *ARC, *ADAM),
    "arc2_trm_attention": Published(*TRM, 4, 16, 768, *ARC, *ADAM),
    # rows of TRM's table without a command of their own
    "maze_trm_mlp": Published(*TRM, 4, 16, 768, *PUZZLES, *ADAM, "mlp"),
    "arc1_trm_mlp": Published(*TRM, 4, 16, 768, *ARC, *ADAM, "mlp"),
    "arc2_trm_mlp": Published(*TRM, 4, 16, 768, *ARC, *ADAM, "mlp"),
    # alphaXiv on 8 A100: batch, rate and warm-up doubled
    "sudoku_trm_attention_8gpu_scaled": Published(*TRM, 6, 16, 1536, *PUZZLES_DOUBLED, *DOUBLED),
    "sudoku_trm_mlp_8gpu_scaled": Published(*TRM, 6, 16, 1536, *PUZZLES_DOUBLED, *DOUBLED, "mlp"),
    "maze_trm_attention_8gpu_scaled": Published(*TRM, 4, 16, 1536, *PUZZLES_DOUBLED, *DOUBLED),
    "arc1_trm_attention_8gpu_scaled": Published(*TRM, 4, 16, 1536, *ARC_DOUBLED, *DOUBLED),
    "arc1_trm_attention_n6_8gpu_scaled": Published(*TRM, 6, 16, 1536, *ARC_DOUBLED, *DOUBLED),
    "arc2_trm_attention_n6_8gpu_scaled": Published(*TRM, 6, 16, 1536, *ARC_DOUBLED, *DOUBLED),
    # X. Gao on 8 H200: only the batch grows
    "sudoku_trm_attention_8gpu": Published(*TRM, 6, 16, 18432, *PUZZLES, *ADAM),
    "sudoku_trm_mlp_8gpu": Published(*TRM, 6, 16, 18432, *PUZZLES, *ADAM, "mlp"),
    "maze_trm_attention_8gpu": Published(*TRM, 4, 16, 4608, *PUZZLES, *ADAM),
    "arc1_trm_attention_8gpu": Published(*TRM, 4, 16, 4608, *ARC, *ADAM),
    "arc2_trm_attention_8gpu": Published(*TRM, 4, 16, 4608, *ARC, *ADAM),
    # seconds-0 on 8 H200
    "arc2_trm_attention_8gpu_10k": Published(*TRM, 4, 16, 768, 10_000, 100, 1e-4, 1e-2, 0.1, *ADAM),
    # DIS's table, and its released scripts
    "arc1_dis": Published("dis", 256, 1, 1, 2, 6, 512, *RELEASED, "adamw"),
    "arc1_dis_1gpu": Published("dis", 256, 1, 1, 2, 6, 512, *RELEASED, "adamw"),
    "arc1_dis_8gpu": Published("dis", 256, 1, 1, 2, 6, 1024, *RELEASED_DOUBLED, "adamw"),
    "arc1_dis_medium": Published("dis", 512, 2, 1, 2, 6, 512, *RELEASED, "adamw"),
    "arc1_dis_paper": Published("dis", 256, 1, 1, 2, 6, 512, *RELEASED, "adam_atan2"),
    "arc2_dis": Published("dis", 256, 1, 1, 2, 6, 512, *RELEASED, "adamw"),
    "arc2_dis_medium": Published("dis", 512, 2, 1, 2, 6, 512, *RELEASED, "adamw"),
    "arc1_trm_compact": Published("act", 256, 1, 1, 2, 16, 768, *ARC, *ADAM),
    "arc1_trm_medium": Published("act", 512, 2, 1, 2, 16, 768, *ARC, *ADAM),
    "arc2_trm_compact": Published("act", 256, 1, 1, 2, 16, 768, *ARC, *ADAM),
    "arc2_trm_medium": Published("act", 512, 2, 1, 2, 16, 768, *ARC, *ADAM),
    "nqueens_dis": Published("dis", 512, 2, 1, 2, 8, 768, *ARC, 2000, False, "adam_atan2"),
    "nqueens_trm": Published("act", 512, 2, 3, 6, 16, 768, *ARC, 2000, False, "adam_atan2"),
}
DATA = {
    "sudoku": "data/sudoku-extreme-1k-aug-1000",
    "maze": "data/maze-30x30-hard-1k",
    "arc1": "data/arc1concept-aug-1000",
    "arc2": "data/arc2concept-aug-1000",
    "nqueens": "data/nqueens-8x8-1k-aug-8",
}


class Command(NamedTuple):
    """A command that the head of an experiment gives."""

    gpus: int
    script: str
    words: tuple[str, ...]


@cache
def commands() -> dict[str, Command]:
    """Every published command by the name of its run."""
    pattern = r"(?m)^# +(?:Command: )?(?:python|torchrun .*--nproc_per_node=(\d+)) (\w+\.py) (experiment=(\w+).*)$"
    found = {}
    for file in (CONFIGS / "experiment").glob("*.yaml"):
        for gpus, script, words, name in re.findall(pattern, file.read_text()):
            run_name = re.search(r"run_name=(\S+)", words)
            found[run_name[1] if run_name else name] = Command(int(gpus or 1), script, tuple(words.split()))
    return found


@cache
def experiment(name: str, *overrides: str) -> TrainConfig:
    """What a published command composes to."""
    _, script, words = commands()[name]
    return composed(script, *words, *overrides)


def as_published(config: TrainConfig) -> Published:
    arch = config.arch
    assert config.puzzle_emb_weight_decay == config.weight_decay
    assert (arch["mlp_t"], arch["pos_encodings"]) in ((True, "none"), (False, "rope"))
    return Published(
        arch["supervision"],
        arch["hidden_size"],
        arch["L_layers"],
        arch["H_cycles"],
        arch["L_cycles"],
        arch["halt_max_steps"],
        config.global_batch_size,
        config.epochs,
        config.epochs_per_iteration,
        config.lr,
        config.puzzle_emb_lr,
        config.weight_decay,
        config.lr_warmup_steps,
        config.ema,
        config.optimizer,
        "mlp" if arch["mlp_t"] else "attention",
    )


def test_every_published_run_is_a_command_with_its_source_s_values() -> None:
    assert TABLE.keys() <= commands().keys()
    for name, published in TABLE.items():
        config, gpus = experiment(name), commands()[name].gpus
        assert as_published(config) == published, name
        assert config.data_paths == [DATA[name.split("_")[0]]], name
        assert config.arch["num_heads"] == 8
        assert config.run_name == name
        assert config.global_batch_size % gpus == 0
        named = re.search(r"_(\d)gpu", name)
        assert named is None or int(named[1]) == gpus, name


def test_the_released_entry_is_the_experiment_of_the_same_run() -> None:
    release, ours = vars(composed("train_arc_tiny_corrupt.py")), vars(experiment("arc1_dis"))
    assert {key for key in ours if ours[key] != release[key]} == {"run_name"}


def content_of(file: Path) -> dict[str, Any]:
    content: Any = OmegaConf.to_container(OmegaConf.load(file))
    return content


def choices_of(experiment: str) -> set[str]:
    """The keys, and `arch`, that an experiment and those that it begins with choose for every run."""
    content = content_of(CONFIGS / f"experiment/{experiment}.yaml")
    chosen = content.keys() - {"arch"} | content.get("hydra", {}).get("sweeper", {}).get("params", {}).keys()
    for default in content.get("defaults", []):
        if isinstance(default, dict):
            chosen |= {key.removeprefix("override /") for key in default}
        elif default != "_self_":
            chosen |= choices_of(default)
    return chosen


def test_an_experiment_chooses_all_in_which_the_entries_differ_so_that_either_runs_it() -> None:
    differing = content_of(CONFIGS / "train_arc_tiny_corrupt.yaml").keys() - {"defaults"} | {"arch"}
    assert content_of(CONFIGS / "cfg_pretrain.yaml").keys() == {"defaults"}
    for file in (CONFIGS / "experiment").glob("*.yaml"):
        assert differing <= choices_of(file.stem), file


def arch_below(group: str, defaults: list[Any], *swept: str) -> dict[str, Any]:
    """What `arch` is where a file with these `defaults` begins.  swept: the `arch=…` that it is swept over instead."""
    for name in defaults:
        if swept and isinstance(name, str) and name != "_self_":
            below = [composed("pretrain.py", f"{group}={name}", f"arch={arch}").arch for arch in swept]
            return {key: value for key, value in below[0].items() if all(one.get(key) == value for one in below)}
        if isinstance(name, dict) and "override /arch" in name:
            return composed("pretrain.py", f"arch={name['override /arch']}").arch
        if isinstance(name, str) and name.endswith("_defaults"):
            return arch_defaults(name.removesuffix("_defaults"))
        if isinstance(name, str) and name != "_self_" and group:
            return composed("pretrain.py", f"{group}={name}").arch
    return {}


def test_no_file_says_again_what_the_dataclasses_or_the_file_below_it_say() -> None:
    below_experiments = [CONFIGS / f"{name}.yaml" for name in ("common", "train_arc_tiny_corrupt")]
    changed = set().union(*(content_of(file) for file in below_experiments))
    for file in CONFIGS.rglob("*.yaml"):
        content, group = content_of(file), file.parent.name.removeprefix("configs")
        arch = content if group == "arch" else content.get("arch", {})
        swept = content.get("hydra", {}).get("sweeper", {}).get("params", {}).get("arch", "").split(",")
        below = arch_below(group, content.get("defaults", []), *filter(None, swept))
        assert [key for key in arch if key in below and below[key] == arch[key]] == [], file
        if group != "arch":
            defaults, free = run_defaults(), changed if group else set()
            again = [key for key in content if key in defaults and defaults[key] == content[key]]
            assert set(again) <= free, file


def can_stand_beside(claim: Claim, config: TrainConfig) -> bool:
    """Whether a run of this configuration has the claim's data, settings and length."""
    data = {
        "ARC-AGI-1": "arc1",
        "ARC-AGI-2": "arc2",
        "Sudoku-Extreme": "sudoku",
        "Maze-Hard": "maze",
        "8 queens": "nqueens",
    }
    if config.data_paths != [DATA.get(data.get(claim.data.title, ""))]:
        return False
    values: dict[str, Any] = {**vars(config), **{f"arch.{k}": v for k, v in config.arch.items()}}
    same = all(
        values.get(key) in (value if isinstance(value, list) else [value]) for key, value in claim.settings.items()
    )
    return same and config.epochs >= claim.epochs


def test_every_claim_that_a_method_here_can_test_has_an_experiment_that_does() -> None:
    longer = [experiment(f"sudoku_trm_{kind}_8gpu_scaled", "epochs=60000") for kind in ("attention", "mlp")]
    trained = [experiment(name) for name in (*TABLE, *(f"{data}_hrm" for data in DATA if data != "nqueens"))] + longer
    trained.append(experiment("arc1_dis_medium", "arch.H_cycles=3", "arch.L_cycles=4"))
    missing = [
        f"{claim.of}: {claim.data.title}"
        for claim in read_claims()
        if not any(can_stand_beside(claim, config) for config in trained)
    ]
    assert set(missing) == {"TRM: advanced questions"}
