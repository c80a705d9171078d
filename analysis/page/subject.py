"""What a page is of: one evaluation, what evaluate.py found beside its scores, and the answers that were kept of it."""

from dataclasses import dataclass, replace

from trm.errors import UserError
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import Scored
from trm_lab.runs.stored_answers import StoredAnswers, stored_answers


@dataclass(frozen=True)
class Subject:
    """An evaluation to show.

    scored: margins, guidance, halting and cost, where evaluate.py looked for them.  answers: None where none were kept.
    remarks: what of it is not there.
    """

    evaluation: Evaluation
    scored: Scored | None
    answers: StoredAnswers | None
    remarks: list[str]


def subject_of(run: Run, name: str | None = None) -> Subject:
    """The evaluation of this name, else the newest, rather by `evaluate.py` than by training.

    name: of a folder in scored/ or evaluations/.

    Raises:
        UserError: there is no such evaluation.
    """
    if name is None:
        return _newest(run)
    by_step = {f"step_{one.step}": one for one in (*run.evaluations, run.evaluation)}
    scored = {one.name: one for one in run.scored}
    if name in scored:
        return _of_scored(run, scored[name])
    if name in by_step:
        answers = _answers(run, name)
        remarks = [] if answers else [_no_puzzles(run, f"evaluations/{name}")]
        return Subject(by_step[name], None, answers, remarks)
    raise UserError(
        f"run directory '{run.path}' holds no evaluation {name!r}",
        " | ".join([*by_step, *scored]),
        f"choose one of these, or make one: python evaluate.py {run.in_command} --margin",
    )


def _newest(run: Run) -> Subject:
    """What evaluate.py measured of the newest step, and of an older one only by name; else training's evaluation."""
    answers, last = _answers(run), run.evaluation
    if answers is not None and answers.scored is not None:
        return Subject(answers.evaluation, answers.scored, answers, [])
    plain = [one for one in run.scored if one.is_plain]
    newest = max(plain, key=lambda one: (one.evaluation.step, one.margin is not None), default=None)
    if newest is not None and newest.evaluation.step >= last.step:
        subject = _of_scored(run, newest)  # of the same step it has the same scores, and training's has outputs
        return replace(subject, evaluation=last) if newest.evaluation.step == last.step else subject
    remarks = [f"--evaluation {newest.name} shows an evaluation of an earlier step"] if newest else []
    return Subject(last, None, answers, remarks if answers else [*remarks, _no_puzzles(run, "the run")])


def _of_scored(run: Run, scored: Scored) -> Subject:
    """An evaluation by evaluate.py; where it is of training's own last evaluation, with the samples of that."""
    answers, where = _answers(run, scored.name), f"scored/{scored.name}"
    if answers is not None and answers.scored is scored:
        return Subject(scored.evaluation, scored, answers, [])
    of_training = scored.is_plain and scored.evaluation.step == run.evaluation.step
    if run.samples is None or not of_training:
        return Subject(scored.evaluation, scored, None, [_no_puzzles(run, where)])
    samples = StoredAnswers(run, run.source, run.evaluation, None, run.samples)
    few = f"the puzzles are samples that training kept, without margins: {_scores_alone(run, where)}"
    return Subject(scored.evaluation, scored, samples, [few])


def _answers(run: Run, name: str | None = None) -> StoredAnswers | None:
    try:
        return stored_answers(run, name)
    except UserError:
        return None


def _no_puzzles(run: Run, where: str) -> str:
    return f"no puzzles to look at: {_scores_alone(run, where)}"


def _scores_alone(run: Run, where: str) -> str:
    return f"{where} kept scores alone; make answers with: python evaluate.py {run.in_command} --margin"
