"""The documentation: every page is in the navigation, every link and anchor leads somewhere, every key is explained."""

import ast
import re
import runpy
import subprocess
import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from tests.runs import REPOSITORY, composition
from trm_lab.configuration.train_config import known_keys

PAGES = SimpleNamespace(**runpy.run_path(str(REPOSITORY / "docs/pages.py")))
KEYS = SimpleNamespace(**runpy.run_path(str(REPOSITORY / "docs/keys.py"), run_name="docs.keys"))
SITE = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))
WRITTEN = sorted(PAGES.written_pages().values())


def headings(file: str) -> list[str]:
    text = PAGES.CODE.sub("", (REPOSITORY / file).read_text(encoding="utf-8"))
    return [re.sub(r"[`*]", "", heading) for heading in re.findall(r"^#+ (.+?) *$", text, re.MULTILINE)]


def anchors(file: str) -> set[str]:
    """The anchors that a page has both in the repository, as GitHub makes them, and in the site."""
    github = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(file)}
    plain = (unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode() for heading in headings(file))
    site = {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in plain}
    return github & site


@cache
def defined(file: str) -> set[str]:
    """Names that a Python file defines: functions, classes and variables, and what its classes define."""
    names: set[str] = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names.update(prefix + ast.unparse(target) for target in targets)

    collect(ast.parse((REPOSITORY / file).read_text(encoding="utf-8")).body, "")
    return names


def navigation(entries: object) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    values = entries.values() if isinstance(entries, dict) else entries
    return [page for entry in values for page in navigation(entry)]


def test_the_navigation_has_every_page_once() -> None:
    assert sorted(navigation(SITE["nav"])) == sorted(PAGES.written_pages())


@pytest.mark.parametrize("file", WRITTEN)
def test_every_link_and_anchor_of_a_page_leads_somewhere(file: str) -> None:
    for link, target, anchor in PAGES.links(file):
        assert (REPOSITORY / target).exists(), link
        if anchor:
            assert anchor in (defined(target) if target.endswith(".py") else anchors(target)), link


@pytest.mark.parametrize("file", WRITTEN)
def test_a_list_stands_apart_from_the_text_before_it(file: str) -> None:
    """Else the site shows it as text; GitHub does not need it."""
    text = PAGES.CODE.sub("", (REPOSITORY / file).read_text(encoding="utf-8"))
    assert re.findall(r"^(?![-\s|#]|\d+\.).+\n(?:-|\d+\.) .+", text, re.MULTILINE) == []


def test_a_link_leads_to_the_same_thing_in_the_site() -> None:
    assert PAGES.place_in_site("data/README.md", "commands") == "data.md#commands"
    assert PAGES.place_in_site("docs/search.md", "") == "search.md"
    assert PAGES.place_in_site("pretrained", "") == "pretrained.md"
    assert PAGES.place_in_site("trm/act.py", "ACTConfig") == "api/trm.act.md#trm.act.ACTConfig"
    assert PAGES.place_in_site("docs/play.png", "") == "play.png"
    assert PAGES.place_in_site(".ci/run", "") == "source/ci/run.md"  # a site leaves out what begins with a dot
    assert PAGES.place_in_site("analysis/claims.yaml", "") == "source/analysis/claims.yaml.md"
    assert "](search.md)" in PAGES.site_text("evaluation.md")
    assert "](data.md#recipes-for-a-laptop)" in PAGES.site_text("training.md")


def test_a_notebook_is_shown_as_text_and_code_with_nothing_from_elsewhere() -> None:
    text = PAGES.source_text("notebooks/first_steps.ipynb")
    assert "\n## A sudoku\n" in text
    assert "```python\nimport trm_lab\n" in text
    assert "![" not in text
    assert text.count("\n# ") == 1


def test_the_page_of_keys_is_what_the_code_says() -> None:
    page = (REPOSITORY / "docs/keys.md").read_text(encoding="utf-8")
    assert page == KEYS.page_text(), "docs/keys.md is out of date: python docs/keys.py writes it"


def test_every_key_has_a_row_of_its_own_with_a_meaning_what_is_allowed_and_its_values() -> None:
    page = (REPOSITORY / "docs/keys.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]+) \| ([^|]+) \|(?: ([^|]+) \|)?$", page, re.MULTILINE)
    keys = {key.removeprefix("arch.") for key in known_keys()} - {"arch", "supervision"}  # said above the rows
    assert {key for key, *_ in rows} == keys
    assert [key for key, meaning, *_ in rows if len(meaning.split()) < 2] == []


def test_the_meaning_names_the_choices_or_their_registry_since_the_help_has_nothing_else() -> None:
    page = (REPOSITORY / "docs/keys.md").read_text(encoding="utf-8")
    for key, meaning, allowed in re.findall(r"^\| `(\w+)` \| ([^|]*) \| (`[^|]+) \|", page, re.MULTILINE):
        unnamed = [name for name in re.findall(r"`([^`]+)`", allowed) if f"`{name}`" not in meaning]
        assert unnamed == [] or re.search(r"[A-Z]_?[A-Z]+S\b", meaning), key


def test_the_page_of_keys_has_the_values_that_the_commands_use() -> None:
    page = (REPOSITORY / "docs/keys.md").read_text(encoding="utf-8")
    scripts = {script: composition(script) for script in ("pretrain.py", "train_arc_tiny_corrupt.py")}
    for key in ("optimizer", "global_batch_size", "epochs", "eval_interval"):
        values = " | ".join(f"`{run[key]}`" for run in scripts.values())
        assert re.search(rf"^\| `{key}` .* {re.escape(f'| {values} |')}$", page, re.MULTILINE)
    for script, run in scripts.items():
        (preset,) = re.findall(rf"`{script}` takes `(\w+)`", page)
        assert run.arch == composition("pretrain.py", f"arch={preset}").arch
    assert "| `512`; `256`: dis, dis_paper, trm_compact |" in page  # hidden_size


def test_the_failures_that_installing_names_are_said_in_these_words() -> None:
    table = (REPOSITORY / "docs/installing.md").read_text(encoding="utf-8").split("## Common failures")[1]
    messages = re.findall(r"^\| `([^`=]*? [^`]*?)(?: ?…)?` \|", table, re.MULTILINE)
    files = [REPOSITORY / "Makefile", *(REPOSITORY / "trm_lab").rglob("*.py")]
    said = "\n".join(file.read_text(encoding="utf-8") for file in files)
    assert len(messages) == 6
    assert [message for message in messages if message not in said] == []


def test_the_readme_is_short_and_nothing_is_left_to_fill_in() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    for file in WRITTEN:
        assert not re.search(r"[A-Z]+_[A-Z]+_?TABLE|TODO|FIXME", (REPOSITORY / file).read_text(encoding="utf-8")), file


def test_the_drawn_slots_live_as_the_page_says() -> None:
    drawn = SimpleNamespace(**runpy.run_path(str(REPOSITORY / "docs/slot_life.py"), run_name="docs.slot_life"))
    trm, dis = drawn.trm_lives(), drawn.dis_lives()
    for lives in (trm, dis):
        starts = lives.steps == 1
        updates = torch.arange(1, drawn.UPDATES + 1, dtype=torch.int32)[:, None].expand_as(lives.steps)
        assert torch.equal(lives.origin[starts], updates[starts])  # an example is of the batch of its first update
        assert torch.equal(lives.origin[1:][~starts[1:]], lives.origin[:-1][~starts[1:]])  # and stays
    assert trm.steps.max() <= drawn.STEPS
    assert (trm.steps != trm.steps[:, :1]).any()  # each slot halts on its own
    assert (dis.steps == dis.steps[:, :1]).all()  # all together


def test_each_change_builds_the_site() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/test.yml").read_text(encoding="utf-8"))["jobs"]
    assert jobs["docs"]["steps"][-1]["run"] == "make docs"
    plan = subprocess.run(["make", "docs", "-n"], cwd=REPOSITORY, text=True, capture_output=True, check=True).stdout
    assert "mkdocs build --strict" in plan


@pytest.mark.long
def test_the_site_is_built_without_a_warning_and_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    if find_spec("mkdocs") is None or find_spec("mkdocstrings_handlers") is None:
        pytest.skip("needs docs/requirements.txt: make docs builds the site in an environment of its own")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    build(load_config(str(REPOSITORY / "mkdocs.yml"), strict=True, site_dir=str(tmp_path / "site")))
    for page in ("index", "keys", "api/trm.act"):
        html = (tmp_path / f"site/{page}.html").read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="?https?:', html) == []
