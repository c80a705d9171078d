"""Methods: runs that differ in their seed alone, what each method is called, and how it is drawn in every figure."""

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median_low
from typing import Any
from zlib import crc32

from analysis import style
from trm.errors import shown
from trm_lab.commands.tables import percent
from trm_lab.runs.questions import TEST
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run, fingerprints

BESIDE_THE_POINT = frozenset(
    (
        "seed", "max_steps", "max_minutes", "device", "wandb", "tensorboard", "project_name", "checkpoint_path",
        "run_name", "checkpoint_interval", "checkpoint_every_minutes", "checkpoint_every_eval", "keep_last",
        "keep_every", "keep_best", "keep_checkpoints", "compile", "attention", "deterministic",
        "gradient_accumulation_steps", "eval_examples", "eval_num_aug", "shard_puzzle_emb", "on_nonfinite",
        "hang_timeout", "build_missing_data", "data_build", "report", "log_interval", "eval_save_outputs",
        "data_paths", "data_paths_test", "evaluators",
    )
)  # fmt: skip
"""Keys that say how long, where or how loudly a run goes; its data is told apart by what it holds (`data_of`)."""

LOOKS = {
    "DIS (released code)": (style.BLUE, "o", 0),
    "DIS (paper)": (style.SKY, "^", 1),
    "TRM T=1 n=2": (style.ORANGE, "D", 2),
    "TRM T=3 n=6": (style.VERMILION, "s", 3),
}  # colour, marker, place in LINE_DASHES
OTHER_COLOURS = (style.GREEN, style.PURPLE, style.BLACK, "#8A8A00", "#332288", "#882255")
OTHER_MARKERS = ("v", "P", "X", "*", "<", "p", ">", "h")
LONGEST = 60  # characters of a name with all settings in which methods differ; a longer one names as many as it takes
SAME_LENGTH, FEW = 0.002, 2  # share, updates: seeds fill their batches otherwise, and end an epoch a few apart
LEAST_SHARE = 0.5  # a run that is less far than this share of the furthest of its method is left out


@dataclass(frozen=True)
class Method:
    """The runs of one method, by seed; they are compared at the last step that all of them have evaluated.

    name: unlike that of every other method beside it.  step: at which its runs are compared, of a run whose epochs are
      an update shorter or longer the nearest one.
    settings: its configuration with dotted keys, without what is beside the point.
    unsaid: the settings that tell it from others of its kind in full, where the name says some of them only.
    """

    name: str
    runs: list[Run]
    step: int
    settings: dict[str, Any]
    unsaid: str = ""
    colour: str = style.BLACK
    marker: str = "o"
    dashes: style.Dashes = "-"

    @property
    def seeds(self) -> list[int]:
        return [run.evaluation.seed for run in self.runs]

    @property
    def label(self) -> str:
        """Name and number of seeds, for a legend."""
        return f"{self.name} ({counted_seeds(len(self.runs))})"

    @property
    def evaluations(self) -> list[Evaluation]:
        """The evaluation of every run at `step`."""
        return self.evaluations_at(self.step)

    def evaluations_at(self, step: int) -> list[Evaluation]:
        """The evaluation of every run at one of `common_steps`."""
        return [next(one for one in evaluated(run) if one.step == own_step(run, step)) for run in self.runs]

    @property
    def common_steps(self) -> list[int]:
        """The steps that all runs have evaluated, up to `step`."""
        return [step for step in _common_steps(self.runs) if step <= self.step]


def counted_seeds(count: int) -> str:
    """A number of seeds in words: "1 seed", "3 seeds"."""
    return "1 seed" if count == 1 else f"{count} seeds"


def as_long(*steps: int) -> bool:
    """Whether numbers of updates, of one run each, are all the same, but for how the seeds fill their batches."""
    return max(steps) - min(steps) <= max(FEW, SAME_LENGTH * max(steps))


def nearest_step(step: int, ordered: Sequence[int]) -> int | None:
    """Of steps in order the nearest one, of two the later, if it is `as_long`; None where there is none."""
    place = bisect(ordered, step)
    closest = min(ordered[max(0, place - 1) : place + 1], key=lambda one: (abs(one - step), -one), default=None)
    return closest if closest is not None and as_long(closest, step) else None


def own_step(run: Run, step: int) -> int:
    """Of a run's evaluations in training the step of the one that stands for a step of its method; else that step."""
    found = nearest_step(step, [one.step for one in evaluated(run)])
    return step if found is None else found


def evaluated(run: Run) -> list[Evaluation]:
    """A run's evaluations in training by step that answered the same questions as its latest one.

    So a sample of the test split is never compared with all of it. The latest alone where the records have none.
    """
    return [one for one in run.evaluations if one.part == run.evaluation.part] or [run.evaluation]


def group(runs: Sequence[Run]) -> tuple[list[Method], list[str]]:
    """The methods of these runs, DIS before TRM and few network calls before many, and what was left out and why."""
    by_settings: dict[str, list[Run]] = {}
    remarks: list[str] = []
    for run in runs:
        by_settings.setdefault(repr(sorted(settings(run).items())), []).append(run)
    methods = _named_apart([_method(_one_of_each_seed(members, remarks), remarks) for members in by_settings.values()])
    methods.sort(key=lambda one: (not one.name.startswith("DIS"), one.evaluations[0].calls_per_answer))
    return _with_looks(methods), remarks + _of_other_questions(methods)


def settings(run: Run) -> dict[str, Any]:
    """The configuration with dotted keys, without what is beside the point, and what it was trained and tested on."""
    from trm_lab.configuration.architecture import without_later_defaults  # here: with it comes torch

    last, marks = run.evaluation, fingerprints_of_test(run)
    named = f", {', '.join('@' + short_mark(one) for one in marks)}" if last.datasets else ""
    test = f"{last.examples:,} examples (copying: {percent(last.copy_cell)} of the cells){named}"
    decisive = {key: value for key, value in run.config.items() if key not in BESIDE_THE_POINT}
    if isinstance(arch := decisive.get("arch"), dict):
        decisive["arch"] = without_later_defaults(arch)
    config = flat(decisive)
    return config | {"data": data_of(run), "test": test}


def short_mark(fingerprint: str) -> str:
    """A fingerprint's first characters, with the split where it names one."""
    mark, slash, split = fingerprint.partition("/")
    return f"{mark[:8]}{slash}{split}"


def data_of(run: Run) -> str:
    """Each dataset that a run was started with: its name and fingerprint, or its folder where they are not recorded.

    So a dataset that was moved or renamed stays the same.
    """
    marks, paths, tested = (fingerprints(run.provenance), _paths(run, "data_paths"), _paths(run, "data_paths_test"))
    names = [task.dataset for task in run.evaluation.tasks]
    of_tested = tested or paths
    name_of = dict(zip(of_tested, names, strict=True)) if len(names) == len(of_tested) else {}
    return ", ".join(
        f"{shown(name_of.get(path, 'data'))}@{shown(str(marks[path])[:8])}" if path in marks else shown(Path(path).name)
        for path in [*paths, *tested]
    )


def fingerprints_of_test(run: Run) -> tuple[str, ...]:
    """Fingerprints of the datasets that a run is tested on, with a split that is not the usual one; may be empty.

    They are those that its evaluation names, or of an older record those that the run was started with.
    """
    if run.evaluation.datasets:
        return tuple(
            shown(one.fingerprint + (f"/{one.split}" if one.split != TEST else "")) for one in run.evaluation.datasets
        )
    marks = fingerprints(run.provenance)
    paths = _paths(run, "data_paths_test") or _paths(run, "data_paths")
    return tuple(shown(str(marks[path])) for path in paths if path in marks)


def _paths(run: Run, key: str) -> list[str]:
    paths = run.config.get(key)
    return [str(path) for path in paths] if isinstance(paths, list) else []


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys."""
    keys: dict[str, Any] = {}
    for key, value in values.items():
        keys |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return keys


def method_name(run: Run) -> str:
    """What papers call a run's method, from its architecture."""
    from trm_lab.methods import METHODS  # here: with the methods comes torch

    arch = run.config.get("arch")
    arch = arch if isinstance(arch, Mapping) else {}
    method = METHODS.get(str(arch.get("supervision")))
    if method is None or "H_cycles" not in arch or "L_cycles" not in arch:
        return run.evaluation.method
    return method.name(arch)


def run_title(run: Run, evaluation: Evaluation) -> str:
    """What an evaluation's answers are of, as a heading; a run's own name may be a hash."""
    return f"{method_name(run)}, seed {evaluation.seed}, after {evaluation.step:,} updates"


def differing(methods: Sequence[Method]) -> dict[str, list[Any]]:
    """The settings that are not the same for all methods: key → a value for each, None where it has none."""
    keys = sorted({key for method in methods for key in method.settings})
    values = {key: [method.settings.get(key) for method in methods] for key in keys}
    return {key: row for key, row in values.items() if any(one != row[0] for one in row)}


def _one_of_each_seed(runs: Sequence[Run], remarks: list[str]) -> list[Run]:
    """The run of each seed that has trained the longest, of runs of one method."""
    chosen: dict[int, Run] = {}
    for run in sorted(runs, key=lambda run: -run.evaluation.step):
        furthest = chosen.setdefault(run.evaluation.seed, run)
        if furthest is not run:
            remarks.append(f"left out: {shown(run.path)}: same settings and seed as {shown(furthest.path)}")
    return [chosen[seed] for seed in sorted(chosen)]


def _method(runs: list[Run], remarks: list[str]) -> Method:
    """Leave out runs that are far behind, and take the last step that all others evaluated."""
    last = {run.path: evaluated(run)[-1].step for run in runs}
    furthest = max(last.values())
    near = [run for run in runs if last[run.path] >= LEAST_SHARE * furthest]
    remarks += [
        f"left out: {shown(run.path)}: at step {last[run.path]:,}, others of its method at {furthest:,}"
        for run in runs
        if run not in near
    ]
    while not _common_steps(near):
        middle = median_low(last[run.path] for run in near)
        odd = max(near, key=lambda run: (abs(last[run.path] - middle), -last[run.path]))
        near.remove(odd)
        remarks.append(f"left out: {shown(odd.path)}: no evaluation at the steps of {near[0].name}")
    furthest = max(last[run.path] for run in near)
    step, name = _common_steps(near)[-1], method_name(near[0])
    if not as_long(step, furthest):
        behind = ", ".join(shown(run.path) for run in near if not as_long(last[run.path], furthest))
        remarks.append(
            f"{name} is taken at step {step:,}, the last that all of its runs evaluated; still"
            f" going or stopped before step {furthest:,}: {behind}"
        )
    return Method(name, near, step, settings(near[0]))


def _of_other_questions(methods: Sequence[Method]) -> list[str]:
    counts = {run.path: len(run.evaluations) - len(evaluated(run)) for one in methods for run in one.runs}
    partial = [path for path, count in counts.items() if count]
    if not partial:
        return []
    of_runs = shown(partial[0]) if len(partial) == 1 else f"{len(partial)} runs"
    total = sum(counts[path] for path in partial)
    return [f"not compared: {total} evaluations of {of_runs}, of another part of the test split than the latest"]


def _common_steps(runs: Sequence[Run]) -> list[int]:
    return common_steps([[one.step for one in evaluated(run)] for run in runs])


def common_steps(series: Sequence[Sequence[int]]) -> list[int]:
    """The `matched_steps` alone."""
    return list(matched_steps(series))


def matched_steps(series: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    """The steps, in order, that all series have, but for how the seeds fill their batches, and each series' own step.

    A step is the lower median of those that stand for it: the `nearest_step` of each series, which stands for no other.
    """
    ordered = [sorted(steps) for steps in series]
    found = {step: [nearest_step(step, steps) for steps in ordered] for step in sorted(set().union(*series))}
    rows = {step: [one for one in row if one is not None] for step, row in found.items() if None not in row}
    fitting = [step for step, row in rows.items() if median_low(row) == step]
    common: dict[int, list[int]] = {}
    used: set[tuple[int, int]] = set()
    for step in sorted(fitting, key=lambda step: max(rows[step]) - min(rows[step])):
        if used.isdisjoint(places := set(enumerate(rows[step]))):
            common[step] = rows[step]
            used |= places
    return dict(sorted(common.items()))


def _named_apart(methods: Sequence[Method]) -> list[Method]:
    """Methods of one name get the settings behind it in which they differ, or as many as tell them apart."""
    named: list[Method] = []
    names: list[str] = []
    for method in methods:
        alike = [other for other in methods if other.name == method.name]
        values = differing(alike) if len(alike) > 1 else {}
        full, few = (_listed(method, keys) for keys in (values, _enough(values)))
        short = few != full and len(f"{method.name}, {full}") > LONGEST
        name = ", ".join(filter(None, [method.name, f"{few}, …" if short else full]))
        names.append(name)
        same = names.count(name)  # more than one where values differ behind what is shown of them
        name = name if same == 1 else f"{name} ({same})"
        named.append(replace(method, name=name, unsaid=full if short else ""))
    return named


def _listed(method: Method, keys: Iterable[str]) -> str:
    return ", ".join(f"{key.removeprefix('arch.')}={_short(method.settings.get(key))}" for key in keys)


def _short(value: Any) -> str:
    """A setting's value for a name; of a path, such as that of the weights a run began with, its last two parts."""
    if not isinstance(value, str) or "/" not in value:
        return shown(value, 60)
    parts = [part for part in Path(value).parts if part not in ("/", "checkpoints")]
    return shown(" of ".join(reversed(parts[-2:])), 60)


def _enough(values: Mapping[str, Sequence[Any]]) -> list[str]:
    """The first settings that tell methods apart, of all in which they differ."""
    chosen: list[str] = []
    groups = 1
    for key in values:
        rows = zip(*(map(str, values[one]) for one in (*chosen, key)), strict=True)
        if (more := len(set(rows))) > groups:
            chosen, groups = [*chosen, key], more
    return chosen


def _with_looks(methods: Sequence[Method]) -> list[Method]:
    """Give each method a colour, marker and dashes that follow from its name, whatever stands beside it.

    Unless another has that look: then it takes the next colour that is free, or, once all are taken, the least used
    dashes and marker in the one that has the fewest. Several of a name that figures know (LOOKS) share its colour.
    """
    used: dict[str, list[Method]] = {}  # by colour
    looks: dict[str, Method] = {}
    by_name = sorted(methods, key=lambda one: one.name)
    owners = {_look(one)[0]: one for one in reversed(by_name)}  # the first method of a colour keeps it
    for one in sorted(by_name, key=lambda one: owners[_look(one)[0]] is not one):
        colour, first, dashes = _look(one)
        if owners[colour] is not one and method_name(one.runs[0]) not in LOOKS:
            colour = min(OTHER_COLOURS, key=lambda each: len(used.get(each, [])))
        alike = used.setdefault(colour, [])
        start = OTHER_MARKERS.index(first) if first in OTHER_MARKERS else 0
        order = (first, *OTHER_MARKERS[start:], *OTHER_MARKERS[:start])
        turned = (*style.LINE_DASHES, *style.LINE_DASHES)[dashes % len(style.LINE_DASHES) :]
        taken = [(other.marker, other.dashes) for other in alike]
        markers, lines = [marker for marker, _ in taken], [line for _, line in taken]
        marker, line = min(
            product(dict.fromkeys(order), turned),
            key=lambda pair: (taken.count(pair), lines.count(pair[1]), markers.count(pair[0])),
        )
        looks[one.name] = replace(one, colour=colour, marker=marker, dashes=line)
        alike.append(looks[one.name])
    return [looks[one.name] for one in methods]


def _look(method: Method) -> tuple[str, str, int]:
    """Colour, marker and place in LINE_DASHES that follow from its name."""
    name = method_name(method.runs[0])
    number, colours = crc32(name.encode()), len(OTHER_COLOURS)
    other = OTHER_COLOURS[number % colours], OTHER_MARKERS[number // colours % len(OTHER_MARKERS)], number
    return LOOKS.get(name, other)
