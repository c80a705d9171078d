"""What stands around the code: targets of make, contributing, citing, checks of each change, forms, the one address."""

import json
import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from typing import Any

import yaml

from tests.runs import REPOSITORY
from trm_lab.release.card import CITATION

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
FORMS = sorted((REPOSITORY / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


ACCENTS = r"{\'a}{\v{c}}"  # áč


def read_yaml(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def test_make_alone_lists_every_target() -> None:
    words = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make"], cwd=REPOSITORY, text=True, capture_output=True, check=True, env=words)
    assert set(re.findall(r"^make ([a-z-]+) +\S", done.stdout, re.MULTILINE)) == MAKE_TARGETS


def test_each_change_is_checked_by_the_readme_s_test_command_on_both_pythons() -> None:
    job = read_yaml(".github/workflows/test.yml")["jobs"]["test"]
    steps = job["steps"]
    assert steps[-1]["run"] == ".ci/run"
    assert (REPOSITORY / ".ci/run").read_text(encoding="utf-8").splitlines()[-1] == "make test"
    assert "\nmake test\n" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    assert [step["with"]["cache"] for step in steps if "setup-python" in step.get("uses", "")] == ["pip"]
    text = (REPOSITORY / ".github/workflows/test.yml").read_text(encoding="utf-8")
    assert "secrets" not in text
    assert "write" not in str(read_yaml(".github/workflows/test.yml")["permissions"])


def test_the_tests_that_take_minutes_run_every_week() -> None:
    workflow = read_yaml(".github/workflows/weekly.yml")
    (schedule,) = workflow[True]["schedule"]  # "on", to YAML 1.1
    assert re.fullmatch(r"\d+ \d+ \* \* \d", schedule["cron"])
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": "make test-long"}
    assert "test-long" in MAKE_TARGETS


def test_ruff_before_a_commit_is_the_ruff_of_the_tests() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert f"ruff=={repository['rev'].removeprefix('v')}\n" in (REPOSITORY / "requirements.txt").read_text()
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff-check", "ruff-format"]


def test_the_citation_names_this_version_and_the_authors_of_both_papers() -> None:
    citation = read_yaml("CITATION.cff")
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    for reference in citation["references"]:
        names = " and ".join(f"{one['family-names']}, {one['given-names']}" for one in reference["authors"])
        assert f"author = {{{names.replace('áč', ACCENTS)}}}" in CITATION
        assert f"title = {{{reference['title']}}}" in CITATION
        assert f"journal = {{{reference['journal']}}}" in CITATION
    assert CITATION.count("@article") == len(citation["references"]) == 2
    assert CITATION in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_issue_forms_are_complete() -> None:
    assert {file.stem for file in FORMS} == {"bug", "reproduction_differs", "feature"}
    for file in FORMS:
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= form.keys()
        identifiers = [part["id"] for part in form["body"]]
        assert len(identifiers) == len(set(identifiers))
        assert any(part.get("validations", {}).get("required") for part in form["body"])
        for part in form["body"]:
            assert part["type"] in ("textarea", "dropdown")
            assert part["attributes"]["label"]


def test_what_contributing_names_is_there() -> None:
    for name in re.findall(r"`((?:tests|docs|trm|configs)/[\w./]+\.\w+)`|\]\((?!http)([^)#]+)\)", CONTRIBUTING):
        assert (REPOSITORY / "".join(name)).exists(), name
    assert set(re.findall(r"`?make ([a-z-]+)", CONTRIBUTING)) <= MAKE_TARGETS
    for file, test in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", CONTRIBUTING):
        assert f"def {test}" in (REPOSITORY / file).read_text(encoding="utf-8"), file


def test_the_changelog_begins_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.+)$", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:]]
    assert all(released)


def test_the_project_has_one_address() -> None:
    address = PROJECT["urls"]["Repository"]
    assert read_yaml("CITATION.cff")["repository-code"] == address
    place = address.removeprefix("https://github.com/")
    (image,) = read_yaml("infra/kubernetes/kustomization.yaml")["images"]
    assert image["newName"].removeprefix("ghcr.io/") in (place.lower(), "OWNER/trm-lab" if "OWNER/" in place else "")
    for file in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        text = "".join(line for cell in cells for line in cell["source"])
        assert f'ADDRESS = "{address}"\n' in text, file
        assert f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{file.name})" in text, file


def test_what_an_analysis_writes_by_default_into_the_checkout_git_does_not_offer_to_add() -> None:
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    sources = "".join(file.read_text(encoding="utf-8") for file in (REPOSITORY / "analysis").rglob("*.py"))
    places = re.findall(r'default=Path\("([\w.]+)"\)', sources)
    assert len(places) == 4
    for place in places:  # a file, a folder, or a picture's name without its ending
        ways = [[f"/{place}"], [f"/{place}/"], [f"/{place}.png", f"/{place}.pdf"]]
        assert any(all(any(fnmatch(file, one) for one in ignored) for file in way) for way in ways), place
