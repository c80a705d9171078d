"""From a composed configuration to a finished run: builds every part, checks first, trains, reports."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from trm.errors import UserError, report
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.supervision import Supervision
from trm_lab.cluster.attention import choose_attention
from trm_lab.cluster.compilation import LEAST_SHARE_SAVED, WORTH, compile_forward, gain_and_cost
from trm_lab.cluster.determinism import make_deterministic
from trm_lab.cluster.memory_needs import Load, check_memory
from trm_lab.cluster.ranks import Ranks, emulates_bfloat16, join
from trm_lab.cluster.stop_request import StopRequest
from trm_lab.cluster.watchdog import DAY, HOUR, Watchdog, patience
from trm_lab.configuration.architecture import Architecture, architecture
from trm_lab.configuration.train_config import ARC_SCORES, BEST_METRICS, TrainConfig, fingerprint, train_config
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.evaluation.scores_table import scores_table
from trm_lab.flops import trained_weights
from trm_lab.puzzles.datasets import check_identifiers
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.selection import Selection
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_forms import find_checkpoint
from trm_lab.runs.hub import is_remote
from trm_lab.runs.run_directory import RunDirectory
from trm_lab.runs.run_lock import only_run
from trm_lab.runs.run_place import check_run_place
from trm_lab.runs.weights import load_into
from trm_lab.runs.young_average import score_remark
from trm_lab.training.learner import Learner
from trm_lab.training.mirrors import Mirror, open_mirrors
from trm_lab.training.missing_data import (
    build_command,
    build_missing_data,
    check_built_as,
    command_for,
    is_missing,
    run_module,
)
from trm_lab.training.start_lines import print_start
from trm_lab.training.sweep import gpu_of_worker, in_a_sweep, keys_given
from trm_lab.training.trainer import Trainer


def train(composed: DictConfig, keys: Collection[str] | None = None) -> None:
    """Run what Hydra composed; every rank calls it.

    keys: that the user gave; None: those of this process's command line.

    Raises:
        UserError: before any long work starts, for all that can be known then.
    """
    config = train_config(composed, keys_given() if keys is None else keys)
    if config.run_name and in_a_sweep():
        config.run_name += f"-{fingerprint(config)}"
    arch = architecture(config.arch)
    if config.eval_interval != composed.eval_interval and os.environ.get("RANK", "0") == "0":
        print(
            f"eval_interval={composed.eval_interval} does not divide epochs={config.epochs}: "
            f"evaluated every {config.eval_interval} epochs",
            flush=True,
        )
    seconds, gpu = config.hang_timeout, gpu_of_worker(torch.cuda.device_count())
    with (
        join(config.device, patience(seconds), gpu) as ranks,
        StopRequest() as stop,
        Watchdog.over(ranks, seconds) as watchdog,
    ):
        watchdog.beat("starting what shows the records elsewhere", within=HOUR)
        with mirrored(config, ranks) as mirrors:
            _train(config, arch, ranks, stop, watchdog, mirrors)


@contextmanager
def mirrored(config: TrainConfig, ranks: Ranks) -> Iterator[list[Mirror]]:
    """What shows the run's records elsewhere, on the first rank; UserError, on every rank, for what cannot work."""
    mirrors: list[Mirror] = []
    ranks.first_decides(lambda: mirrors.extend(open_mirrors(config)))
    try:
        yield mirrors
    finally:
        for mirror in mirrors:
            mirror.close()


def _train(
    config: TrainConfig, arch: Architecture, ranks: Ranks, stop: StopRequest, watchdog: Watchdog, mirrors: list[Mirror]
) -> None:
    ranks.first_decides(lambda: check_run_place(RunDirectory.of(config).path))
    if config.build_missing_data:
        watchdog.beat("building the datasets", within=DAY)
        build_missing_data(config, ranks)
    if ranks.is_first and arch.network.dtype == torch.bfloat16 and emulates_bfloat16(ranks.device):
        print(
            "this processor has no bfloat16 and emulates it: arch.forward_dtype=float32 is many times faster here",
            flush=True,
        )
    for path in dict.fromkeys([*config.data_paths, *config.data_paths_test]):
        command = command_for(config, path)
        if command is not None and not is_missing(path):
            check_built_as(path, command)
    watchdog.beat("opening the data, making the model", within=HOUR)
    trainer = make_trainer(config, arch, ranks, stop, watchdog)
    run = trainer.run_directory
    with only_run(run.path, ranks):
        ranks.first_decides(lambda: run.prepare(config, ranks))
        scores = trainer.run(mirrors)
        if ranks.is_first:
            watchdog.beat("drawing the report", within=HOUR)
            finish(config, run, scores)


def make_trainer(
    config: TrainConfig, arch: Architecture, ranks: Ranks, stop: StopRequest, watchdog: Watchdog
) -> Trainer:
    """All parts of a run on this rank."""
    test_paths = config.data_paths_test or config.data_paths
    data = TrainingData(
        config.data_paths,
        seed=config.seed,
        epochs_per_iteration=config.epochs_per_iteration,
        build_command=build_command(config, config.data_paths),
        global_batch_size=config.global_batch_size,
        rank=ranks.rank,
        world_size=ranks.world_size,
    )
    test = EvaluationData(
        test_paths,
        build_command=build_command(config, test_paths),
        global_batch_size=config.global_batch_size,
        rank=ranks.rank,
        world_size=ranks.world_size,
    )
    check_same_tokens(data.metadata, test.metadata)
    if data.paths != test.paths:
        check_identifiers([*data.paths, *test.paths])
    votes = checked_votes(config, test, ranks)
    sample = evaluated_sample(config, test)
    if ranks.is_first and sample.part is not None:
        best = f"; keep_best={config.keep_best} looks at these alone" if config.keep_best is not None else ""
        print(f"evaluated in training: {sample.part.title}; the last evaluation is of all of them{best}", flush=True)
    check_fits(config, arch, data.metadata, ranks)
    run = RunDirectory.of(config)
    supervision = make_supervision(config, arch, data, run, ranks)
    examples = config.epochs * data.total_groups * data.mean_puzzle_examples
    learner = Learner(config, supervision, ranks, int(examples / config.global_batch_size))
    evaluator = Evaluator(supervision, test, ranks, votes, config.seed, config.eval_save_outputs, data.paths)
    sampler = replace(evaluator, data=sample) if sample.part is not None else None
    compiling = pays_to_compile(config, arch, data.metadata.seq_len, learner.total_steps, ranks)
    trainer = Trainer(config, learner, data, evaluator, run, ranks, stop, watchdog, compiling, sampler)
    print_start(arch, data, trainer)
    return trainer


def checked_votes(config: TrainConfig, test: EvaluationData, ranks: Ranks) -> bool:
    """Whether the evaluations let ARC answers vote; prints it if evaluators=[arc] finds nothing to vote on.

    Raises:
        UserError: keep_best is a score of votes, and there are none.
    """
    votes = "arc" in config.evaluators and votes_on(test)
    if ranks.is_first and votes != ("arc" in config.evaluators):
        print(
            "no ARC tasks, so nothing votes (evaluators=[arc], the default): scored by what the dataset itself brings",
            flush=True,
        )
    if not votes and config.keep_best in ARC_SCORES:
        raise UserError(
            f"keep_best={config.keep_best} on data without ARC tasks",
            " | ".join(BEST_METRICS),
            "set keep_best to one of these, or to null",
        )
    return votes


def make_supervision(
    config: TrainConfig, arch: Architecture, data: TrainingData, run: RunDirectory, ranks: Ranks
) -> Supervision[Any]:
    """The method with its model on the rank's device, compiled; with loaded weights, unless the run has checkpoints."""
    supervision = arch.build(shape_of(data.metadata), config.seed)
    data.read_extras(getattr(supervision, "batch_extras", ()))
    if config.load_checkpoint and not checkpoints.steps(run.checkpoints):
        load_checkpoint(supervision.model, config.load_checkpoint, ranks, data.identifiers)
    if config.shard_puzzle_emb and supervision.model.puzzle_emb is not None:
        supervision.model.puzzle_emb.shard(ranks)
    supervision.model.to(ranks.device)
    choose_attention(config.attention, arch.network, ranks.device)
    make_deterministic(config.deterministic or ranks.device.type == "cpu")
    compile_forward(supervision, config.compile, ranks.device)
    return supervision


def pays_to_compile(config: TrainConfig, arch: Architecture, tokens: int, total_steps: int, ranks: Ranks) -> bool:
    """Whether `compile=auto` compiles a new run's training on a CPU.

    total_steps: updates of the schedule, which max_steps and max_minutes may cut.
    """
    if config.compile != "auto" or ranks.device.type != "cpu":
        return False
    updates = min(total_steps, config.max_steps or total_steps)
    examples = updates * config.global_batch_size // ranks.world_size
    gain, cost = gain_and_cost(arch.network, tokens, examples)
    if config.max_minutes is not None:
        gain = min(gain, LEAST_SHARE_SAVED * 60 * config.max_minutes)
    return gain >= WORTH * cost


def votes_on(test: EvaluationData) -> bool:
    """Whether ARC's votes concern this data: not where every dataset brings another scorer, or has one puzzle only."""
    others = all(dataset.about is not None and bool(dataset.about.scorer) for dataset in test.sets)
    return bool(test.test_puzzles) or not (others or test.metadata.num_puzzle_identifiers <= 1)


def evaluated_sample(config: TrainConfig, test: EvaluationData) -> EvaluationData:
    """The part of the test data that every evaluation but the last looks at.

    Raises:
        UserError: augmentations are limited where there are none, or the sample has no room for a task.
    """
    if config.eval_num_aug is not None and not test.test_puzzles:
        raise UserError(
            f"eval_num_aug={config.eval_num_aug} on data without ARC tasks, so that nothing is augmented or voted on",
            "eval_num_aug with ARC datasets, eval_examples with any",
            "set eval_examples instead, or leave it out",
        )
    return test.only(Selection(augmentations=config.eval_num_aug, sampled=config.eval_examples))


def check_fits(config: TrainConfig, arch: Architecture, metadata: PuzzleMetadata, ranks: Ranks) -> None:
    """UserError if training could not fit into the memory of this rank's device."""
    dis_steps = arch.settings.halt_max_steps if arch.method.supervision.fixed_steps else 0
    load = Load(
        slots=-(-config.global_batch_size // ranks.world_size),
        frames=dis_steps + 1,
        trains=not config.freeze_weights,
        averages=config.ema,
        puzzle_share=1 / ranks.world_size if config.shard_puzzle_emb else 1.0,
        parts=config.gradient_accumulation_steps,
    )
    shape = shape_of(metadata)
    check_memory(arch.network, shape, trained_weights(arch, shape), load, ranks.device)


def shape_of(metadata: PuzzleMetadata) -> PuzzleShape:
    """What the network must know of a dataset."""
    return PuzzleShape(metadata.seq_len, metadata.vocab_size, metadata.num_puzzle_identifiers)


def load_checkpoint(model: TinyRecursiveModel, target: str, ranks: Ranks, identifiers: Sequence[str]) -> None:
    """Start from the weights of another run, of an export or of a published checkpoint, here or on the hub.

    identifiers: the dataset's names, by which rows of the puzzle embedding are matched.
    """
    if not is_remote(target) and not Path(target).exists():
        raise UserError(
            f"load_checkpoint={target} does not exist",
            "a run, a checkpoint, an exported folder, a published file, or hf://owner/repository/…",
            "check the path",
        )
    checkpoint = find_checkpoint(target)
    lines = [f"load_checkpoint: {checkpoint.described()}; the optimizer and the step start anew"]
    lines += checkpoint.differences(model.config)
    lines += load_into(model, checkpoint.weights(), target, checkpoint.row_names(), identifiers)
    if ranks.is_first:
        print("\n".join(lines), flush=True)


def check_same_tokens(train: PuzzleMetadata, test: PuzzleMetadata) -> None:
    """UserError unless training and test tokens mean the same."""
    keys = ("seq_len", "vocab_size", "pad_id", "ignore_label_id", "blank_identifier_id")
    differing = [
        f"{k}: {getattr(train, k)} and {getattr(test, k)}" for k in keys if getattr(train, k) != getattr(test, k)
    ]
    if test.num_puzzle_identifiers > train.num_puzzle_identifiers:
        differing.append(f"puzzle identifiers: {train.num_puzzle_identifiers} and {test.num_puzzle_identifiers}")
    if differing:
        raise UserError(
            "training and test data disagree: " + "; ".join(differing),
            "test data with the tokens of the training data, whose puzzles the training data knows",
            "set data_paths_test to the dataset that was built with data_paths, or leave it empty",
        )


def finish(config: TrainConfig, run: RunDirectory, scores: dict[str, Any]) -> None:
    """Say where everything is; draw the figures if asked."""
    if config.report:
        try:
            run_module(["python", "-m", "analysis.summary", str(run.path)])
        except UserError as error:
            report(error.given, "the run is complete; its figures are not drawn", error.remedy)
    else:
        print(scores_table(scores), flush=True)
        if remark := score_remark(asdict(config), scores["step"]):
            print(remark, flush=True)
    arch = architecture(config.arch)
    of = f" ({arch.method.name(arch.as_dict())}, seed {config.seed})" if in_a_sweep() else ""  # its name is a hash
    print(f"run directory: {run.path}{of}", flush=True)
