"""A hook of mkdocs.yml: makes the pages that do not lie in docs/, and turns the repository's links into the site's.

Two kinds of pages are made at build time: files of other folders (`ELSEWHERE`) and the API reference, a page for each
module. Every page keeps links that work in the repository; here one to a module leads to its reference, and one to
another file to a page that shows it. A Python file's anchor is the name of what is defined there:
`trm/act.py#ACTSupervision.halted`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {  # page of the site → file of the repository
    "index.md": "README.md",
    "data.md": "data/README.md",
    "clusters.md": "infra/README.md",
    "pretrained.md": "pretrained/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "results.md": "analysis/RESULTS.md",
    "benchmarks.md": "benchmarks/README.md",
    "speed.md": "benchmarks/RESULTS.md",
    "scaling.md": "benchmarks/scaling.md",
    "scaling_model.md": "benchmarks/scaling_model.md",
}
REFERENCE = ("trm", "dis_trm", "trm_lab")  # packages
PICTURES = (".png", ".gif", ".svg")
LINK = re.compile(r"(?<=\]\()(?!https?:)[^)\s]+(?=\))")
CODE = re.compile(r"```.*?```", re.DOTALL)


def written_pages() -> dict[str, str]:
    """Page of the site → file of the repository, for all pages that somebody wrote."""
    own = {file.name: f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md"))}
    return {**own, **ELSEWHERE}


def reference_pages() -> dict[str, str]:
    """Page of the site → file of the repository, for the modules."""
    files = (file for package in REFERENCE for file in sorted((ROOT / package).rglob("*.py")))
    names = {module_name(file): file.relative_to(ROOT).as_posix() for file in files if file.stem != "__main__"}
    return {f"api/{name}.md": file for name, file in sorted(names.items())}


def module_name(file: Path) -> str:
    """The name that a file of the repository is imported by."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def links(file: str) -> Iterator[tuple[str, str, str]]:
    """The links of a page to this repository: as written, the file's place in the repository, the anchor or ''."""
    for link in LINK.findall(CODE.sub("", (ROOT / file).read_text(encoding="utf-8"))):
        place, _, anchor = link.partition("#")
        yield link, normpath(f"{Path(file).parent.as_posix()}/{place}") if place else file, anchor


def place_in_site(target: str, anchor: str) -> str:
    """Where the site shows a file or folder of the repository, from the site's root."""
    pages = {file: page for page, file in {**written_pages(), **reference_pages()}.items()}
    page = pages.get(target) or pages.get(f"{target}/README.md")
    if page is None:
        picture = target.endswith(PICTURES)
        page = (
            target.removeprefix("docs/") if picture and target.startswith("docs/") else f"source/{target.lstrip('.')}"
        )
        page += "" if picture else ".md"
    if page.startswith("api/") and anchor:
        anchor = f"{module_name(ROOT / target)}.{anchor}"
    return f"{page}#{anchor}" if anchor else page


def site_text(page: str) -> str:
    """A written page with the links of the site."""
    file = written_pages()[page]
    places = {link: place_in_site(target, anchor) for link, target, anchor in links(file)}
    text = (ROOT / file).read_text(encoding="utf-8")
    parts = re.split(f"({CODE.pattern})", text, flags=re.DOTALL)
    return "".join(part if CODE.match(part) else LINK.sub(lambda m: places[m[0]], part) for part in parts)


def shown_files() -> dict[str, str]:
    """Page of the site → file or folder of the repository that a page links to and that is no page itself."""
    targets = {(target, place_in_site(target, "")) for file in written_pages().values() for _, target, _ in links(file)}
    return {place: target for target, place in sorted(targets) if place.startswith("source/")}


def source_text(target: str) -> str:
    """The page that shows a file, or the names in a folder."""
    head = f"---\nsearch: {{exclude: true}}\n---\n\n# {target}\n\n"
    path = ROOT / target
    if path.is_dir():
        return head + "\n".join(f"- `{entry.name}`" for entry in sorted(path.iterdir()) if entry.name[0] not in "._")
    if path.suffix == ".ipynb":
        return head + notebook_text(path)
    language = {".py": "python", ".yaml": "yaml", ".js": "javascript"}.get(path.suffix, "text")
    return f"{head}````{language}\n{path.read_text(encoding='utf-8')}\n````\n"


def notebook_text(notebook: Path) -> str:
    """Its cells below its title, without the badge, which is a picture from elsewhere."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    title_or_badge = re.compile(r"^(# |\[!\[).*\n", re.MULTILINE)
    return "\n\n".join(
        f"```python\n{text}\n```" if kind == "code" else title_or_badge.sub("", text) for kind, text in texts
    )


def on_config(config: "MkDocsConfig") -> None:
    """Put the reference behind the other pages of the navigation."""
    assert config.nav is not None
    config.nav.append({"API reference": [{package: reference_navigation(package)} for package in REFERENCE]})


def reference_navigation(package: str) -> list[object]:
    """A package's pages, those of its sub-packages in a group of their own, under the names within the group."""
    pages, groups = [], dict[str, list[object]]()
    for page, file in reference_pages().items():
        root, *inner = module_name(ROOT / file).split(".")
        if root == package and len(inner) > 1:
            groups.setdefault(inner[0], []).append({".".join(inner[1:]): page})
        elif root == package and (ROOT / file).name == "__init__.py" and inner:
            groups.setdefault(inner[0], []).insert(0, {"about": page})
        elif root == package:
            pages.append({inner[0] if inner else "about": page})
    return [*pages, *({name: entries} for name, entries in groups.items())]


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Put every page in its place."""
    from mkdocs.structure.files import File

    texts = {page: site_text(page) for page in written_pages()}
    for page, file in reference_pages().items():
        texts[page] = f"# {module_name(ROOT / file)}\n\n::: {module_name(ROOT / file)}\n"
    pictures = {}
    for page, target in shown_files().items():
        if page.endswith(PICTURES):
            pictures[page] = target
        else:
            texts[page] = source_text(target)
    for page in texts.keys() & files.src_uris.keys():
        files.remove(files.src_uris[page])
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    for page, target in pictures.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / target)))
    return files
