"""Which of evaluate.py's evaluations stand for a run at a step, and the commands that make those that are missing."""

from collections.abc import Callable, Sequence
from pathlib import Path

from analysis.methods import Method, own_step
from trm.errors import UserError
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import Scored

Wish = Callable[[Scored], bool]
Probed = tuple[Method, list[Scored]]


def plain_scored(run: Run, step: int | None = None, has: Wish = lambda scored: True) -> Scored | None:
    """The evaluation that asked the same as training does, of this step (else the latest), and has what is wished."""
    plain = [one for one in run.scored if one.is_plain and has(one)]
    return max(_of_step(run, plain, step), key=lambda one: (one.evaluation.step, len(one.guidance)), default=None)


def _of_step(run: Run, scored: Sequence[Scored], step: int | None) -> list[Scored]:
    """Those of the very checkpoint that training evaluated at a step, which is that of a method; None: all."""
    compared = None if step is None else own_step(run, step)
    return [one for one in scored if compared in (None, one.evaluation.step)]


def probed(methods: Sequence[Method], has: Wish) -> list[Probed]:
    """The methods of which runs have such an evaluation at the method's step, each with those evaluations by seed."""
    pairs = [(method, [plain_scored(run, method.step, has) for run in method.runs]) for method in methods]
    scored = [(method, [one for one in of_runs if one is not None]) for method, of_runs in pairs]
    return [(method, of_runs) for method, of_runs in scored if of_runs]


def by_steps(run: Run, step: int) -> dict[int, Scored]:
    """Evaluations that differ in their number of supervision steps alone, by that number."""
    chosen = _of_step(run, [one for one in run.scored if one.is_whole], step)
    return {len(one.evaluation.network_calls): one for one in sorted(chosen, key=lambda one: one.is_plain)}


def with_steps(method: Method, steps: int) -> list[Scored]:
    """Of each run, at the method's step, the evaluation with so many supervision steps.

    Raises:
        UserError: a run has none.
    """
    scored = [(run, by_steps(run, method.step).get(steps)) for run in method.runs]
    without = [run for run, one in scored if one is None]
    if without:
        raise UserError(
            f"{method.name}: {len(without)} of {len(scored)} runs have no evaluation with {steps} steps",
            "runs that evaluate.py has evaluated with as many supervision steps",
            f"python evaluate.py {without[0].in_command} --steps {steps}, and so for each run",
        )
    return [one for _, one in scored if one is not None]


def in_training(run: Run, step: int) -> Path:
    """The folder of the evaluation that training made at a step."""
    return run.path / f"evaluations/step_{own_step(run, step)}"


def missing(
    methods: Sequence[Method], what: str, options: str, has: Wish, from_training: Callable[[Path], bool] | None = None
) -> list[str]:
    """A line that names what some runs lack, and the command that makes it for the first of them.

    from_training: whether the folder of the evaluation in training has it, where that counts, too.
    """
    runs = [(run, method.step) for method in methods for run in method.runs]
    lacking = [(run, step) for run, step in runs if plain_scored(run, step, has) is None]
    if from_training is not None:
        lacking = [(run, step) for run, step in lacking if not from_training(in_training(run, step))]
    elsewhere = [run for run, _ in lacking if plain_scored(run, None, has) is not None]
    without = [run for run, _ in lacking if run not in elsewhere]
    lines = []
    if without:
        command = " ".join(filter(None, ["python evaluate.py", without[0].in_command, options]))
        lines.append(f"{what}: missing in {len(without)} of {len(runs)} runs; make it with: {command}")
    if elsewhere:
        lines.append(
            f"{what}: {len(elsewhere)} of {len(runs)} runs have it of another step than the one at which they are"
            " compared, and it is not shown"
        )
    return lines
