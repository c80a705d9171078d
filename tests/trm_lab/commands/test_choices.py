"""The words that flags take are those of what they choose, which stands elsewhere."""

from trm_lab.cluster.attention import ALLOW
from trm_lab.commands.choices import ATTENTION_CHOICES, DEFAULT_RANKING, EXPORT_FORMS, RANKINGS
from trm_lab.commands.command_line import CommandLine
from trm_lab.evaluation.search import Search
from trm_lab.evaluation.search_flags import add_search_flags, search_of
from trm_lab.evaluation.voting import _RANKING_KEYS
from trm_lab.release.exporting import FORMS


def test_every_word_is_one_of_what_it_chooses_and_every_choice_has_a_word() -> None:
    assert ("auto", *ALLOW) == ATTENTION_CHOICES
    assert tuple(FORMS) == EXPORT_FORMS
    assert RANKINGS.keys() == _RANKING_KEYS.keys()
    assert DEFAULT_RANKING in RANKINGS


def test_a_search_without_flags_is_the_usual_one() -> None:
    line = CommandLine("program", "What it does.")
    add_search_flags(line)
    assert search_of(line.parse([])) == Search()
