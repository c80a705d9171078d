"""The scaling measurement and model as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from statistics import mean
from typing import Any

from benchmarks.scaling_jobs import JOBS, MODELLED_RANKS, Modelled, activation_bytes
from benchmarks.scaling_model import (
    Cluster,
    Job,
    Scaled,
    by_purpose,
    checkpoint_bytes,
    checkpoint_messages,
    gathered_slots,
    memory,
    record_messages,
    scaled,
    sent,
    step_messages,
)
from benchmarks.scaling_ranks import Trial

Result = Mapping[str, Any]
KINDS = (("step", step_messages), ("record", record_messages), ("checkpoint", checkpoint_messages))


def trial_of(result: Result) -> Trial:
    """What was measured."""
    given = dict(result["trial"])
    return Trial(**{**given, "settings": tuple(given["settings"])})


def mean_payload(result: Result, kind: str) -> dict[str, float]:
    """Counted bytes by purpose, on the mean over ranks."""
    names = {name: None for rank in result["ranks"] for name in rank[kind]}
    return {name: mean(rank[kind].get(name, 0) for rank in result["ranks"]) for name in names}


def deviations(result: Result) -> list[str]:
    """Where the model's bytes are not the counted ones; none if it is right."""
    trial, found = trial_of(result), []
    job = trial.job()
    for kind, messages in KINDS:
        if kind == "checkpoint" and not trial.checkpoint:
            continue
        counted, modelled = mean_payload(result, kind), by_purpose(messages(job, trial.ranks))
        for name in dict.fromkeys([*counted, *modelled]):
            ours, theirs = modelled.get(name, 0.0), counted.get(name, 0.0)
            if abs(ours - theirs) > 1e-6 * max(ours, 1):
                found.append(f"{kind}, {name}: {ours:.1f} modelled, {theirs:.1f} counted")
    return found


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; all columns but the first to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def size(number: float) -> str:
    """Bytes in words."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(number) >= step:
            return f"{number / step:.3g} {unit}" if number < 1000 * step else f"{number / step:,.0f} {unit}"
    return f"{number:.0f} B"


def duration(seconds: float) -> str:
    """Seconds in words."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def measured_tables(report: Mapping[str, Any]) -> list[str]:
    """What is sent, and what it costs."""
    several = [result for result in report["results"] if result["trial"]["checkpoint"]]
    wrong = [line for result in several for line in deviations(result)]
    agreement = "In every row the model's bytes by purpose equal the counted ones exactly."
    return [
        _traffic(several),
        "Deviations: " + "; ".join(wrong) if wrong else agreement,
        _costs(several),
    ]


def _traffic(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        trial = trial_of(result)
        if trial.ranks == 1:
            continue
        step, ranks = mean_payload(result, "step"), result["ranks"]
        puzzle = sum(value for name, value in step.items() if name.startswith("puzzle"))
        model = sent(step_messages(trial.job(), trial.ranks), trial.ranks)
        wire = mean(rank["on_wire"] for rank in ranks) if ranks[0]["on_wire"] is not None else None
        rows.append(
            [
                *_about(trial),
                size(step["gradients"]),
                size(puzzle),
                size(sum(mean_payload(result, "record").values())),
                size(sum(mean_payload(result, "checkpoint").values())),
                size(model),
                f"{size(wire)} ({100 * (wire / model - 1):+.1f} %)" if wire is not None else "not known",
            ]
        )
    header = ["", "ranks", "batch", "puzzles", "gradients", "puzzle rows", "a record", "a checkpoint"]
    return table([*header, "sent, model", "sent, kernel's count"], rows)


def _costs(results: Sequence[Result]) -> str:
    rows, active = [], _activations(results)
    for result in results:
        trial, ranks = trial_of(result), result["ranks"]
        first, seconds = ranks[0], mean(rank["seconds"] for rank in ranks)
        waiting = mean(rank["communication"] for rank in ranks)
        peaks = [rank["memory"] for rank in ranks]
        expected = sum(memory(trial.job(), trial.ranks, active[trial.name]).values())
        mean_peak = mean(peaks)
        rows.append(
            [
                *_about(trial),
                duration(seconds),
                f"{100 * waiting / seconds:.0f} %" if trial.ranks > 1 else "",
                f"{size(min(peaks))} … {size(max(peaks))}" if trial.ranks > 1 else size(peaks[0]),
                f"{size(expected)} ({100 * (mean_peak / expected - 1):+.0f} %)" if trial.ranks > 1 else "",
                size(max(rank["checkpoint_memory"] - rank["memory"] for rank in ranks)),
                duration(first["collecting"] + first["copying"]),
                f"{duration(first['writing'])} ({size(first['checkpoint_bytes'])})",
            ]
        )
    header = [
        "",
        "ranks",
        "batch",
        "puzzles",
        "a step",
        "in messages",
        "peak memory",
        "modelled (measured is)",
    ]
    return table([*header, "more for a checkpoint", "it holds up", "it writes beside"], rows)


def _activations(results: Sequence[Result]) -> dict[str, float]:
    """Bytes that a step takes for each slot, by name: what a single process took beyond all that the formulas name."""
    alone = [(trial_of(result), result["ranks"][0]["memory"]) for result in results]
    return {
        trial.name: (peak - sum(memory(trial.job(), 1, 0).values())) / trial.batch
        for trial, peak in sorted(alone, key=lambda one: (-one[0].ranks, one[0].batch))
    }


def _about(trial: Trial) -> list[str]:
    where = ", shared out" if trial.shared else ""
    return [trial.name, str(trial.ranks), str(trial.batch), f"{trial.puzzles:,}{where}"]


def scaled_rows(job: Job, cluster: Cluster, active: float) -> list[Scaled | None]:
    """The job at every number of ranks of the table."""
    return [scaled(job, ranks, cluster, active) for ranks in MODELLED_RANKS]


def modelled_table(modelled: Modelled, report: Mapping[str, Any], cluster: Cluster) -> str:
    """One published run to 1024 ranks."""
    job, active, rows = modelled.job(), activation_bytes(report, modelled), []
    both = zip(
        scaled_rows(job, cluster, active), scaled_rows(job.on(shared=True), cluster, active), strict=True
    )
    for ranks, (one, shared) in zip(MODELLED_RANKS, both, strict=True):
        if one is None or shared is None:
            rows.append([str(ranks), "fewer slots than ranks", *[""] * 9])
            continue
        rows.append(
            [
                str(ranks),
                str(one.slots),
                duration(one.compute),
                duration(one.communication),
                f"{100 * one.efficiency:.0f} %",
                size(one.sent),
                size(one.gathered),
                size(one.memory),
                size(shared.gathered) if job.puzzles > ranks else "",
                size(shared.memory) if job.puzzles > ranks else "",
                f"{100 * shared.efficiency:.0f} %" if job.puzzles > ranks else "",
            ]
        )
    header = ["ranks", "slots of each", "arithmetic", "messages", "efficiency", "sent", "of it puzzle rows"]
    header += ["memory", "shared out: puzzle rows", "memory", "efficiency"]
    gathered, saved = size(gathered_slots(job, 2)), size(checkpoint_bytes(job))
    facts = (
        f"{job.trained / 1e6:.2f} M weights, {job.puzzles:,} puzzles, {job.slot_operations / 1e9:.0f} GFLOP and "
        f"{size(active + job.slot_bytes)} for each slot and step ({size(job.slot_bytes)} of it kept between steps). "
        f"A checkpoint is {saved}; collecting it takes another {gathered} on every rank."
    )
    return f"### {modelled.name}\n\n{facts}\n\n{table(header, rows)}"


def stops(modelled: Modelled, report: Mapping[str, Any], cluster: Cluster) -> str:
    """Where a run stops scaling, in one line."""
    job, active = modelled.job(), activation_bytes(report, modelled)
    rows = [row for row in scaled_rows(job, cluster, active) if row is not None]
    fast = [row for row in rows if row.efficiency >= 0.5]
    best = min(rows, key=lambda row: row.step)
    last = fast[-1]
    return (
        f"- **{modelled.name}**: half of the ideal speed or more up to {last.ranks} ranks ({last.slots} slots each, "
        f"{duration(last.step)} a step, {100 * last.communication / last.step:.0f} % of it messages); "
        f"the shortest step, {duration(best.step)}, on {best.ranks}; no more than {job.batch} ranks can have a slot."
    )


def _gather_share(modelled: Modelled) -> str:
    """What the gather is beside the gradients, and the batch at which it would be as much."""
    job, ranks = modelled.job(), 64
    messages = step_messages(job, ranks)
    rows = sent((message for message in messages if message.purpose.startswith("puzzle")), ranks)
    equal = 2 * job.trained / (job.width + 1)
    share = 100 * rows / sent(messages, ranks)
    return f"{share:.0f} % of all bytes for {modelled.name} (half at a batch of {equal:,.0f})"


def markdown(report: Mapping[str, Any], cluster: Cluster) -> str:
    """The whole of scaling.md."""
    return "\n\n".join(_sections(report, cluster)) + "\n"


def _sections(report: Mapping[str, Any], cluster: Cluster) -> Iterator[str]:
    machine = report["machine"]
    yield "# Many ranks: what is sent, what is kept, where it stops"
    yield (
        "Written by `python -m benchmarks.scaling --markdown`. The formulas are in `scaling_model.py`; their bytes are "
        "compared with what 1, 2 and 4 gloo processes hand over (equal, byte for byte) and with what the kernel then "
        "sends. **Times beyond this machine are modelled from assumed rates, not measured.**"
    )
    yield "## Where it stops"
    yield "\n".join(stops(one, report, cluster) for one in JOBS)
    yield WHY.format(share="; ".join(_gather_share(one) for one in JOBS if one.puzzles > 1))
    yield "![time of a step and efficiency](figures/scaling.png)"
    yield "## What is built, and what is not"
    yield PLAN
    yield "## Modelled to 1024 ranks"
    values = ", ".join(f"{field.name} {getattr(cluster, field.name):g}" for field in fields(cluster))
    yield (
        f"The global batch stays. Assumed (`Cluster`, SI units): {values}. That is, 350 TFLOP/s of a GPU with enough "
        "slots and 6 µs for each kernel with few; 8 GPUs in a node with 400 GB/s each; 400 Gbit/s for each GPU between "
        "nodes; 20 µs · log2 W for a collective, and in an exchange 2 µs for each further rank. Nothing overlaps.\n\n"
        "*Slots*: of the rank with most; a run wants a divisor of the batch. *Sent*: bytes of a rank in a step. "
        "*Memory*: of training in one part, in bfloat16, without a checkpoint; what a slot takes of it is measured on "
        "this machine's CPU (the peak of 2 slots less that of 1; Sudoku's follows from ARC's by tokens and passes)."
    )
    for one in JOBS:
        yield modelled_table(one, report, cluster)
    yield "## Measured here"
    yield (
        f"{machine['processor']}, one thread for each process, 2 cores shared with other work, torch "
        f"{machine['torch']}, gloo, float32, {report['date'][:10]}; medians of 3 steps. So with 4 ranks the processes "
        "take turns: times are comparable within a row only. The networks are the published ones; batch, puzzles and, "
        "for TRM, tokens are scaled down to what 2 cores can do. The first rows are strong scaling (batch 8), then "
        "weak (2 slots a rank). *Kernel's count*: of TCP, gloo's headers with it. *Peak memory*: of the steps, over "
        "the same process with a tiny model, from the least to the most of the ranks; *modelled*: with a slot's "
        "activations from the single process of the same network. *More for a checkpoint*: on the rank that needs "
        "most; half of it is the private copy. *It holds up*: comparing weights, collecting and copying, on the first "
        "rank; *it writes beside*: in the thread."
    )
    yield from measured_tables(report)


WHY = """\
Three things end it, in this order:

1. **Slots.** A rank needs at least one of the global batch's slots, and a GPU needs many more to be busy: below the
   batch at which arithmetic takes as long as the kernels' launches, another rank shortens nothing. This is what stops
   DIS-compact, whose step is short, and it is no matter of messages. More ranks want a larger batch, by the rules of
   the presets.
2. **Messages that do not shrink.** The gradients are 2(W−1)/W · 4n bytes on any number of ranks, and four collectives
   wait for log2 W hops, while the arithmetic shrinks with 1/W.
3. **The gather.** With the table on every rank each one passes on all B rows of gradients, (W−1)/W · B·(4E+4) bytes,
   which does not shrink with W either: {share}. Exchanged with the owners of a shared-out table it is 4·(2E+1)·b + 8·W
   bytes, which does; but its four exchanges, the first of them waited for, speak to every other rank. So by the model
   the shared-out table saves memory, not time: those W short messages cost as much as the bytes they save, or more.
   (A reduce-scatter of all B rows would send as much as the gather.) What would remove both: exchanging within a node
   first, and asking for the rows one step ahead, as the identifiers are known when the batch is made."""

PLAN = """\
Built, and tested with 2 and 3 gloo processes against one:

- one message for all gradients, under way while the step's numbers are summed; those carry loss, non-finite counts
  and wishes to stop or save together;
- `shard_puzzle_emb=True`: each rank keeps ⌈N/W⌉ rows, asks the owners for the rows of its slots and sends them these
  rows' gradients (all-to-all), bitwise as one process; checkpoints do not tell whether the table was shared out. The
  price is four messages for two, and that the host waits once in each pass to learn how many rows go where. It pays
  where the table does not fit or the gathered gradients cost more than that wait; by the tables below, not before;
- a table of fewer rows than half the slots (Sudoku and Maze have one) is summed on each rank first: its gradient is
  then N·(4E+4) bytes instead of B·(4E+4);
- checkpoints written beside the training: it is held up for collecting and a private copy.

Not built:

- collecting the slots on the first rank only. Now every rank gathers all slots for a checkpoint that only the first one
  writes (the figures are in the tables' headings); each rank writing its own slots and share would leave nothing to
  collect, and take the first rank's disk out of it;
- gradients sent layer by layer during the backward pass: it would hide at most the gradients' message;
- a model or a sequence cut across ranks: the networks are too small to need it."""
