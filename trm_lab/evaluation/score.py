"""Score a checkpoint: answer a test split into files, then score the files. An interrupted evaluation goes on."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trm.batch import token_dtype
from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.cluster.attention import choose_attention
from trm_lab.cluster.compilation import compile_forward, warm_up_steps
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks, join
from trm_lab.cluster.watchdog import DAY, HOUR, Watchdog, patience
from trm_lab.commands.choices import DEFAULT_RANKING
from trm_lab.commands.progress import track
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.evaluation.arc_questions import check_test_inputs
from trm_lab.evaluation.batch_size import chosen_batch_size
from trm_lab.evaluation.details_table import details_table
from trm_lab.evaluation.evaluator import Rules, Scoring
from trm_lab.evaluation.halting_choice import choose, held_out_answers
from trm_lab.evaluation.identifier_ablation import identifiers_to_feed
from trm_lab.evaluation.improvement import TARGET, why_without_target
from trm_lab.evaluation.in_training import InTraining
from trm_lab.evaluation.predictor import Predictor, check_finite
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.scores_table import categories_table, scores_table
from trm_lab.evaluation.stopwatch import Stopwatch
from trm_lab.flops import answer_flops
from trm_lab.methods import GuidanceProbe
from trm_lab.puzzles.loading import EvaluationData, rows_per_rank
from trm_lab.puzzles.manifest import fingerprint
from trm_lab.runs.evaluation_folder import EvaluationResults, write_results
from trm_lab.runs.evaluation_place import EvaluationPlace, check_evaluation_folder
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.rollout_store import RolloutStore
from trm_lab.runs.run_lock import only_run

HANG_SECONDS = TrainConfig.hang_timeout  # with several ranks; a single one waits for nobody


def score(request: ScoringRequest) -> None:
    """Evaluate, write everything, and print the table; every rank calls it.

    Raises:
        UserError: no checkpoint, no configuration, missing data, weights that do not fit it, or an output folder that
            holds another evaluation.
    """
    checkpoint = open_checkpoint(request.target, request.config, request.weights)
    with (
        join(request.device, patience(HANG_SECONDS)) as ranks,
        Watchdog.over(ranks, HANG_SECONDS if ranks.world_size > 1 else None) as watchdog,
    ):
        if ranks.is_first:
            print(f"checkpoint: {checkpoint.title}\ndevice: {ranks.title}", flush=True)
        watchdog.beat("opening the data and the model", within=HOUR)
        folder = request.output or checkpoint.results_folder(request.suffix)
        ranks.first_decides(lambda: check_evaluation_folder(folder))
        job = ScoringJob(request, checkpoint, ranks, watchdog)
        ranks.first_decides(job.open_held_out)
        ranks.first_decides(job.place.check)
        with only_run(job.place.working, ranks):
            ranks.first_decides(job.place.take_up)
            job.answer()
            watchdog.beat("scoring the answers", within=DAY)
            evaluation = job.score()
        if evaluation is not None:
            job.place.finish()
            print(scores_table(evaluation.scores))
            if checkpoint.score_remark:
                print(checkpoint.score_remark)
            print(details_table(evaluation.scores))
            if request.by_category:
                print(categories_table(evaluation.scores))
            print(f"written to {job.place.folder}")


class ScoringJob:
    """One evaluation: answers a split into files, then scores them."""

    def __init__(self, request: ScoringRequest, checkpoint: OpenedCheckpoint, ranks: Ranks, watchdog: Watchdog) -> None:
        self.request, self.checkpoint, self.ranks, self.watchdog = request, checkpoint, ranks, watchdog
        self.data = open_data(request, checkpoint, ranks)
        self.supervision, remarks = checkpoint.supervision(self.data.metadata, self.data.identifiers)
        training = checkpoint.training_data(self.data.described, self.data.metadata.seq_len)
        remarks += training.remarks + checkpoint.changed_data(self.data.described, bool(request.data_paths))
        self.in_training = InTraining(self.data, training.paths)
        paths, examples = ", ".join(map(str, self.data.paths)), f"{self.data.total_examples:,} examples"
        for line in (f"data: {paths}, {examples}", *remarks) if ranks.is_first else ():
            print(line, flush=True)
        if request.steps is not None:
            self.supervision.take_steps(request.steps)
        if request.by_category:
            check_categories(self.data)
        self.probes = [GuidanceProbe(request.guidance, request.margin)] if request.guidance or request.margin else []
        request.search.check(self.supervision, [puzzles.about for puzzles in self.data.sets])
        if self.probes and not request.search.is_plain:
            raise UserError(
                "--guidance or --margin with several rollouts or with stopping",
                "guidance and margins of a single rollout to its last step",
                "leave --width, --noise, --start, --symmetries and --stop out, or these",
            )
        arc = bool(self.data.test_puzzles)
        if not arc:
            _refuse_arc_flags(request)
        self.rules = Rules(
            confidence_kind(self.supervision, request), arc, request.ranked_by, True, request.save_outputs
        )
        Scoring(self.data, self.rules)  # what is missing is told before any answer is made
        if arc:
            check_test_inputs(self.data)
        folder = request.output or checkpoint.results_folder(request.suffix)
        self.rollout_request = rollout_request(request, checkpoint, self.data, self.supervision)
        self.place = EvaluationPlace(folder, self.rollout_request, self.data.set_sizes, request.overwrite)
        self.store: RolloutStore | None = None  # on the first rank, once its bytes were checked
        self.held_out: RolloutStore | None = None  # on the first rank, with --choose-on

    def open_held_out(self) -> None:
        """Open the answers on which settings of stopping early are chosen.

        Raises:
            UserError: they cannot be used, or this evaluation itself stops early.
        """
        request = self.request
        if request.choose_on is not None and request.search.stop is not None:
            raise UserError(
                f"--choose-on {request.choose_on} --stop {request.search.stop}",
                "one of them: --choose-on chooses a rule, of an evaluation that takes all steps; --stop applies one",
                "leave one of them out",
            )
        if request.choose_on is not None:
            self.held_out = held_out_answers(request.choose_on, self.rollout_request, self.rules.confidence_kind)

    def answer(self) -> None:
        """Make the answers that are not in the store yet; every rank takes part."""
        if self.ranks.is_first:
            self.store = RolloutStore.resume(self.place.working, self.rollout_request, self.data.set_sizes)
        store = self.store
        done = self.ranks.broadcast_object(store.done if store is not None else 0)
        if done == self.data.total_examples:
            return
        if done and self.ranks.is_first:
            print(f"goes on after {done:,} of {self.data.total_examples:,} examples", flush=True)
        self.supervision.model.to(self.ranks.device)
        batch_size = chosen_batch_size(
            self.supervision, self.request.batch_size, self.checkpoint.batch_size, self.ranks
        )
        self.data.set_batch_size(batch_size)
        choose_attention(self.request.attention, self.checkpoint.arch.network, self.ranks.device)
        compile_forward(self.supervision, self.request.compile, self.ranks.device)
        watch, predictor = Stopwatch(self.ranks, EnergyMeter(self.ranks.device)), self._predictor()
        for answers in predictor.answers(done, self._progress, watch.warming_up):
            check_finite(np.column_stack((answers.confidence, answers.loss)), self.request.target)
            seconds, joules = watch.seconds(), watch.joules()
            if store is not None:
                if answers.first == done:
                    steps = min(predictor.warm_up_steps, self.supervision.max_steps)
                    store.warmed_up(steps, watch.warm_up_seconds)
                store.write(answers, seconds, joules)
            watch.restart()  # writing is no part of answering

    def score(self) -> EvaluationResults | None:
        """Score the stored answers; the first rank writes the scores beside them. Every rank calls it.

        If a rank cannot read the store (it is on another machine's disk), the first rank scores all answers.
        """
        ranks = self.ranks
        ranks.barrier()  # until the first rank has written the last batch
        store = self.store or self._seen_store()
        shared = ranks.equal(torch.tensor([store.done], device=ranks.device)) and ranks.world_size > 1
        scoring = Scoring(self.data, replace(self.rules, shared=shared), in_training=self.in_training)
        if shared or ranks.is_first:
            for answers in store.answers(rank=ranks.rank, ranks=ranks.world_size if shared else 1):
                scoring.add(answers)
        scoring.gather(ranks)
        if not ranks.is_first:
            return None
        evaluation = scoring.result()
        if improvement := evaluation.scores.get("improvement"):
            improvement["trained_loss"] = self.supervision.loss_type
            if TARGET not in improvement:
                improvement["without_target"] = why_without_target(self.supervision)
        if self.held_out is not None:
            choice = choose(self.held_out, store, self.rules.confidence_kind)
            evaluation.scores["halting"]["chosen_on"] = asdict(choice)
        method = self.checkpoint.arch.supervision
        evaluation.scores.update(
            step=self.checkpoint.step,
            method=method,
            supervision=method,
            seed=self.checkpoint.seed,
            examples_per_second=store.total / max(store.seconds, 1e-9),
            confidence_kind=self.rules.confidence_kind,
            cost=self._cost(store, evaluation.scores["network_calls_per_answer"]),
            evaluated=described(self.request, self.checkpoint),
        )
        write_results(self.place.working, evaluation)
        return evaluation

    def _seen_store(self) -> RolloutStore:
        """The first rank's store, read from disk; an empty one where this machine has none, or another one, there."""
        place = self.place.working, self.rollout_request, self.data.set_sizes
        try:
            return RolloutStore.matching(*place)
        except (UserError, OSError):
            return RolloutStore(*place)

    def _predictor(self) -> Predictor:
        metadata = self.data.metadata
        fed = identifiers_to_feed(
            self.request.identifiers,
            self.data.sets,
            metadata.num_puzzle_identifiers,
            metadata.blank_identifier_id,
            self.checkpoint.seed,
        )
        return Predictor(
            self.supervision,
            self.data,
            self.ranks,
            self.checkpoint.seed,
            self.probes,
            fed,
            self.request.confidence == "all-cells",
            warm_up_steps(self.request.compile, self.ranks.device),
            self.request.search,
            self.request.margin,
        )

    def _progress(self, batches: Sequence[Any]) -> Iterator[Any]:
        for number, batch in enumerate(track(batches, "answering") if self.ranks.is_first else batches):
            compiling = HOUR if number == 0 and self.request.compile != "off" else None
            self.watchdog.beat(f"batch {number} of the evaluation", compiling)
            yield batch

    def _cost(self, store: RolloutStore, network_calls: float) -> dict[str, Any]:
        """Cost of an answer; seconds and joules are of this machine, without warm-up, writing and voting.

        network_calls: of an answer, a mean over examples.
        """
        warm_up = store.warm_up and {"supervision_steps_of_each_launch": store.warm_up.supervision_steps}
        flops = answer_flops(self.checkpoint.arch, self.supervision.model.shape)
        energy = {} if store.joules is None else {"joules": store.joules / store.total}
        steps = network_calls / self.supervision.model.config.network_calls
        return {
            "network_calls": network_calls,
            "operations": None if flops is None else flops * (int(steps) if steps == int(steps) else steps),
            "seconds": store.seconds / store.total,
            **energy,
            "warm_up": warm_up,
            "ranks": self.ranks.world_size,
            "device": str(self.ranks.device.type),
        }


def check_categories(data: EvaluationData) -> None:
    """UserError unless a dataset tells the categories of its examples."""
    if all(each.categories is None for each in data.sets):
        raise UserError(
            f"--by category, but {', '.join(map(str, data.paths))} does not say what its examples' categories are",
            "a dataset whose builder knows a family, size or distance of its examples (data/README.md), built since it"
            " keeps them",
            "build it again with the same command and --overwrite: examples and fingerprint stay the same; or leave"
            " --by out",
        )


def _refuse_arc_flags(request: ScoringRequest) -> None:
    """UserError for a flag of ARC's votes, which other tasks do not have."""
    flags = {
        "--num-aug": request.selection.augmentations is not None,
        "--rank-by": request.ranked_by != DEFAULT_RANKING,
    }
    misplaced = [flag for flag, is_given in flags.items() if is_given]
    if misplaced:
        raise UserError(
            f"{' '.join(misplaced)}: this dataset has no ARC tasks, so that nothing is augmented or voted on",
            "these flags with ARC datasets",
            "leave them out",
        )


def open_data(request: ScoringRequest, checkpoint: OpenedCheckpoint, ranks: Ranks) -> EvaluationData:
    """Open the test split of a request, cut to this rank.

    Raises:
        UserError: it is not there, or the ranks cannot share the batch.
    """
    paths = list(request.data_paths) or checkpoint.data_paths_or_error()
    rows = ranks.world_size if request.batch_size is None else request.batch_size  # chosen when the model is there
    rows_per_rank(rows, ranks.world_size, "--batch-size ")
    return EvaluationData(
        paths,
        global_batch_size=rows,
        rank=ranks.rank,
        world_size=ranks.world_size,
        build_command=checkpoint.build_command(str(paths[0])),
        selection=request.selection,
    )


def rollout_request(
    request: ScoringRequest, checkpoint: OpenedCheckpoint, data: EvaluationData, supervision: Supervision[Any]
) -> dict[str, Any]:
    """All that decides the rollouts, as JSON keeps it: stored answers of another request are not continued."""
    selection = asdict(request.selection)
    if selection["sampled"] is None:  # earlier stores had no key of it
        del selection["sampled"]
    token_type = token_dtype(data.metadata.vocab_size).name
    by_tokens = supervision.confidence_kind != "halting_probability" or bool(request.guidance)
    own_cells = {"confidence": request.confidence} if by_tokens and request.confidence == "answer" else {}
    return {
        **({} if token_type == "uint8" else {"tokens": token_type}),  # earlier stores had uint8 alone, and no key
        "weights": weights_digest(checkpoint.weights),
        "arch": checkpoint.arch.as_dict(),
        "data": [fingerprint(path) for path in data.paths],
        "selection": {**selection, "tasks": sorted(selection["tasks"])},
        "steps": request.steps,
        "identifiers": request.identifiers,
        "guidance": [float(w) for w in request.guidance],
        "margin": request.margin,
        **({"improvement": True} if request.margin else {}),  # which earlier stores with margins lack
        "seed": checkpoint.seed,
        **own_cells,
        **({} if request.search.is_plain else {"search": request.search.as_dict()}),
    }


def confidence_kind(supervision: Supervision[Any], request: ScoringRequest) -> str:
    """Kind of an answer's confidence in a request: a key of `trm.supervision.CONFIDENCE_KINDS`."""
    halts = supervision.confidence_kind == "halting_probability"
    return "token_log_probability" if request.confidence == "all-cells" and not halts else supervision.confidence_kind


def described(request: ScoringRequest, checkpoint: OpenedCheckpoint) -> dict[str, Any]:
    """The request, for scores.json: which checkpoint, and which questions."""
    return {
        "target": request.target,
        "weights": request.weights,
        "data_paths": list(request.data_paths) or checkpoint.data_paths,
        "tasks": sorted(request.selection.tasks) or None,
        "first_tasks": request.selection.first_tasks,
        "augmentations": request.selection.augmentations,
        "sampled": request.selection.sampled,
        "supervision_steps": request.steps,
        "identifiers": request.identifiers,
        "confidence": request.confidence,
        **({} if request.search.is_plain else {"search": request.search.as_dict()}),
    }


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values."""
    whole = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous()
        whole.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()
