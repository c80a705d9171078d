"""Tables in three languages, and quantities as text."""

import re

from analysis.tables import Table, amount, share_over_seeds, time, whole_number
from trm_lab.commands.tables import counted, p_value, points, points_range
from trm_lab.intervals import over_seeds

TABLE = Table(
    "Costs & <b>more</b>", ["method", "a|b", "50 %"], [["DIS_x", "1 × 2", "●"], ["TRM", "–", "#3"]], ["note: ± 1"]
)


def test_markdown_keeps_its_columns_and_opens_no_tag() -> None:
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "**Costs & &lt;b>more&lt;/b>**"
    assert lines[2:6] == [r"| method | a\|b | 50 % |", "|---|---:|---:|", "| DIS_x | 1 × 2 | ● |", "| TRM | – | #3 |"]
    assert lines[-1] == "note: ± 1"


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    latex = TABLE.latex()
    assert latex.isascii()
    assert r"\caption{Costs \& $<$b$>$more$<$/b$>$. note: $\pm$ 1}" in latex
    assert r"  DIS\_x & 1 $\times$ 2 & $\bullet$ \\" in latex
    assert r"  TRM & -- & \#3 \\" in latex
    assert r"\begin{tabular}{lrr}" in latex
    assert not re.search(r"(?<!\\)%", latex)


def test_html_shows_text_as_text() -> None:
    html = TABLE.html()
    assert "<caption>Costs &amp; &lt;b&gt;more&lt;/b&gt;</caption>" in html
    assert '<tr><th scope="row">TRM</th><td>–</td><td>#3</td></tr>' in html
    assert '<p class="note">note: ± 1</p>' in html


def test_amounts_have_three_digits_and_a_prefix() -> None:
    amounts = [amount(value, "J") for value in (0, 0.5, 999.6, 1234, 2.5e12, None, float("inf"))]
    assert amounts == ["0 J", "0.5 J", "1 kJ", "1.23 kJ", "2.5 TJ", "–", "–"]


def test_shares_times_and_p_values_are_written_for_readers() -> None:
    assert share_over_seeds(over_seeds([0.5])) == "50.0 %, n=1"
    assert share_over_seeds(over_seeds([0.98, 1.0])) == "99.0 % [86.3, 100.0], n=2"
    assert [time(seconds) for seconds in (0.0123, 2.5, 75, None)] == ["12.3 ms", "2.5 s", "1 min 15 s", "–"]
    assert [p_value(p) for p in (0.04, 0.0004, 0.0, None)] == ["0.040", "4.0e-04", "< 1e-12", "–"]
    assert (points(-0.031), whole_number(12_000), whole_number(None)) == ("−3.1", "12,000", "–")


def test_no_rounding_shows_a_width_of_0_a_bound_of_0_or_a_p_at_its_level() -> None:
    assert share_over_seeds(over_seeds([0.09384, 0.09401, 0.09381])) == "9.39 % [9.36, 9.42], n=3"
    assert counted(0, 422_786) == "0 of 422786, 0.000 % [0.000, 0.001]"
    assert points_range(0.0003, 0.12) == "[+0.03, +12.00]"
    assert points_range(-0.0022, -0.0003) == "[−0.22, −0.03]"
    assert points_range(-0.12, 0.12) == "[−12.0, +12.0]"
    assert points_range(0.1, 0.1) == "[+10.0, +10.0]"
    p_values = [p_value(p) for p in (0.0499, 0.05, 0.00999, 0.0009999)]
    assert p_values == ["< 0.050", "0.050", "< 0.010", "< 1.0e-03"]
