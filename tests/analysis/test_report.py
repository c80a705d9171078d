"""The report: one HTML file without outside requests, the same as Markdown, for any runs or none."""

import re
import shutil
from pathlib import Path

import pytest

from analysis import report
from analysis.claims.claims import read_claims
from tests.analysis.html_reader import Reader
from tests.analysis.recorded import DIS
from tests.analysis.synthetic_run import write_run

pytestmark = pytest.mark.usefixtures("unrendered")

HOSTILE = "<script>alert(1)</script>![x](http://elsewhere/x.png)"


def made(folder: Path, *runs: Path) -> tuple[str, str, Reader]:
    report.main([*map(str, runs), "--output-dir", str(folder)])
    html, markdown = ((folder / name).read_text() for name in ("report.html", "report.md"))
    return html, markdown, Reader(html)


def test_without_runs_every_claim_is_listed_in_one_line(tmp_path: Path) -> None:
    _, markdown, seen = made(tmp_path / "out")
    assert f"| {len(read_claims())} claims |  |  | no run of ours | 0 | not attempted | – |  |" in markdown
    assert markdown.count("no run of ours") == 1
    assert "TRM MLP, 5 M: 87.4 % (TRM);" in markdown
    assert [tag for tag, _ in seen.tags].count("img") == 1
    names = {path.name for path in (tmp_path / "out").iterdir()}
    figures = {f"{name}.{kind}" for name in ("claims", "claims_column") for kind in ("png", "pdf")}
    assert names == {*figures, "report.html", "report.md"}


def test_runs_are_laid_out_by_dataset_with_their_curves_and_unreadable_ones_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(DIS, tmp_path / "broken-0")
    (tmp_path / "broken-0/metrics.jsonl").write_text("oops\n")
    for kind in ("queens", "sudoku"):
        for seed in range(2):
            write_run(tmp_path / f"{kind}-{seed}", arc=False, training_steps=400, puzzles=[kind], seed=seed)
    html, markdown, seen = made(tmp_path / "out", *sorted(tmp_path.glob("*-?")))
    for text in (html, markdown, capsys.readouterr().out):
        assert "line 1 of " in text
        assert "metrics.jsonl is not JSON" in text
    for text in (html, markdown):
        own = [text.index(f"small-{kind} (clean protocol)") for kind in ("queens", "sudoku")]
        assert own == sorted(own)
        assert own[-1] < text.index("Published claims")
    assert "no published claim on this data" in markdown
    assert re.search(
        r"\| DIS \(released code\) \| 50\.0 % \[not estimable\], n=2 \| 400 \| 10 \| 24 s \| NVIDIA H100 \|", markdown
    )
    assert "can be 50.0 % at best" in markdown
    assert [tag for tag, _ in seen.tags if tag in ("source", "img")] == ["source", "img"] * 3
    assert "![small-sudoku (clean protocol): learning](learning_small-sudoku_clean_protocol.png)" in markdown
    heading = f"# {report.TITLE}"
    assert [line for line in markdown.splitlines() if report.TITLE in line] == [heading]
    for ending in ("", "_column"):
        assert (tmp_path / f"out/learning_small-sudoku_clean_protocol{ending}.png").is_file()


def test_the_page_asks_for_nothing_runs_nothing_and_a_stranger_s_names_stay_text(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", arc=False, training_steps=400, puzzles=["queens"], arch={"feed": HOSTILE})
    for file in [run / "metrics.jsonl", *run.glob("evaluations/*/scores.json")]:
        file.write_text(file.read_text().replace("small-queens", HOSTILE.replace('"', "")))
    html, markdown, seen = made(tmp_path / "out", run)
    addresses = [
        value or ""
        for _, attributes in seen.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data")
    ]
    assert addresses
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in seen.tags}
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert "<script>" not in html + markdown
    assert "![x](http" not in markdown
