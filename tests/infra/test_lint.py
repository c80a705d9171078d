"""infra/ passes its own linters, and the image's file holds what it promises."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.infra.processes import INFRA, STUBS
from tests.runs import REPOSITORY

SCRIPTS = [*sorted(INFRA.rglob("*.sh")), *sorted(INFRA.rglob("*.sbatch"))]
DOCKERFILE = (INFRA / "Dockerfile").read_text()


def linter(name: str) -> str:
    """The program beside this Python, or on the PATH; without it the test is skipped."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def lint(name: str, *words: str | Path) -> None:
    done = subprocess.run([linter(name), *words], cwd=REPOSITORY, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    assert len(SCRIPTS) == 4
    lint("shellcheck", *SCRIPTS, STUBS / "scontrol")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_executable_and_stop_at_the_first_error(script: Path) -> None:
    assert script.stat().st_mode & 0o111 == 0o111
    assert "\nset -euo pipefail\n" in script.read_text()


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    lint("hadolint", INFRA / "Dockerfile")


def test_yamllint_finds_nothing_in_the_manifests() -> None:
    lint("yamllint", "--strict", "-c", INFRA / "yamllint.yaml", INFRA)


def test_the_image_installs_exactly_what_a_run_needs_in_pinned_versions() -> None:
    program = re.search(r"python -c '([^']+)'", DOCKERFILE)
    assert program
    printed = subprocess.run(
        [sys.executable, "-c", program[1]], cwd=REPOSITORY, text=True, capture_output=True, check=True
    ).stdout
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert printed.splitlines() == project["dependencies"]
    assert "--constraint requirements.txt" in DOCKERFILE
    pinned = (REPOSITORY / "requirements.txt").read_text().lower()
    for package in printed.splitlines():
        assert f"\n{package.split('>=')[0].lower()}==" in pinned


def test_the_image_runs_without_root_or_history_through_our_torchrun() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["1000:1000"]
    assert 'ENTRYPOINT ["infra/torchrun.sh"]' in DOCKERFILE
    kept_out = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", "runs", "data/*/"} <= set(kept_out)
    for needed in ("trm", "dis_trm", "trm_lab", "data", "analysis", "configs", "infra", "pretrain.py"):
        assert needed not in kept_out


def test_the_image_is_built_and_pushed_under_the_name_and_tag_of_the_manifests(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text('#!/bin/bash\necho "$*"\n')
    (tmp_path / "docker").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def said(*words: str) -> str:
        return subprocess.run([INFRA / "image.sh", *words], env=env, text=True, capture_output=True, check=True).stdout

    (image,) = yaml.safe_load((INFRA / "kubernetes/kustomization.yaml").read_text("utf-8"))["images"]
    name = f"{image['newName'].lower()}:{image['newTag']}"
    assert said("name") == f"{name}\n"
    assert said("push") == f"push {name}\n"
    assert re.fullmatch(
        rf"build -f infra/Dockerfile -t {name} --build-arg REVISION=\w+ --no-cache \.\n", said("build", "--no-cache")
    )


@pytest.mark.parametrize(("tag", "accepted"), [("v{}", True), ("v{}0", False)])
def test_a_tag_of_the_repository_publishes_the_image_if_it_is_the_version(tag: str, accepted: bool) -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/image.yml").read_text("utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["publish"]["steps"] if "run" in step]
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # "on", to YAML 1.1
    assert steps[-2:] == ["infra/image.sh build", "infra/image.sh push"]
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    env = {**os.environ, "GITHUB_REF_NAME": tag.format(version), "IMAGE_NAME": "registry/Name"}
    done = subprocess.run(["bash", "-ec", steps[0]], cwd=REPOSITORY, env=env, check=False)
    assert (done.returncode == 0) is accepted


def test_no_package_registry_is_named() -> None:
    for file in [f for f in INFRA.rglob("*") if f.is_file()]:
        text = file.read_text().replace("newName: ghcr.io/", "")  # the one place of the image's name
        assert not re.search(r"https?://|pypi|ghcr|docker\.io|quay\.", text), file


@pytest.mark.parametrize("word", re.findall(r"`(infra/[\w./]+)`", (INFRA / "README.md").read_text()))
def test_files_that_the_readme_names_exist(word: str) -> None:
    assert (REPOSITORY / word).exists()


def test_experiments_that_the_readme_names_exist() -> None:
    named = re.findall(r"experiment=(\w+)", (INFRA / "README.md").read_text() + DOCKERFILE)
    assert named
    for name in named:
        assert (REPOSITORY / f"configs/experiment/{name}.yaml").exists(), name
