"""Terms: what is found by what, at both ends of a search."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.text.terms import spans, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The houses were running", ["hous", "run"]),
        ("John's dogs don\u2019t", ["john", "dog"]),
        ("kube_proxy", ["kube_proxy", "kube", "proxi"]),
        ("HTTPServerError", ["httpservererror", "http", "server", "error"]),
        ("__init__", ["init"]),
        ("GitHub and github", ["github", "git", "hub", "github"]),
        ("APIs", ["api"]),
        ("utf8", ["utf8", "utf", "8"]),
        ("v1.28.3", ["v1.28.3", "1", "28", "3"]),
        ("ORA-00942", ["ora-00942", "ora", "00942"]),
        ("error RW-5103", ["error", "rw-5103", "rw", "5103"]),
        ("os.path.join", ["os.path.join", "os", "path", "join"]),
        ("2024-01-15", ["2024-01-15", "2024", "01", "15"]),
        ("3.14 and 1,000 and 1,234,567.5", ["3.14", "1000", "1234567.5"]),
        ("C++ or C#", ["c++", "c", "c#", "c"]),
        ("state-of-the-art", ["state", "art"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("猫", ["猫"]),
        ("Python3の本", ["python3", "python", "3", "の本"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("हिन्दी", ["हिन्दी"]),
        ("\uff21\uff22\uff23 STRASSE Straße", ["abc", "strass", "strass"]),
        ("—  … !", []),
        ("", []),
        ("\x00 \ud800 🙂", []),
    ],
)
def test_a_text_becomes_its_terms(text, expected):
    assert terms(text) == expected


def test_the_language_decides_stems_and_stop_words():
    assert terms("die Häuser der Stadt", "de-AT") == ["haus", "stadt"]
    assert terms("los contratos", "es") == ["contrat"]
    assert terms("l\u2019homme et les hommes", "fr") == ["homm", "homm"]
    assert terms("слова", "uk") == ["слова"]
    assert terms("naming", "xx") == ["naming"]


def test_an_identifier_is_found_by_its_whole_and_by_its_parts():
    document = set(terms("Set MaxSurgePods before calling reload_config (error E1101)."))
    for query in ("maxsurgepods", "surge", "reload_config", "config", "E1101", "e1101"):
        assert set(terms(query)) <= document


@given(st.text(max_size=300), st.sampled_from([None, "en", "de", "fr", "xx"]))
def test_spans_are_the_terms_with_their_places(text, language):
    found = spans(text, language)
    assert [s.term for s in found] == terms(text, language)
    assert all(0 <= s.start < s.end <= len(text) and s.term and not text[s.start : s.end].isspace() for s in found)
    assert all(b.start >= a.start for a, b in itertools.pairwise(found))


@given(st.lists(st.sampled_from(["lease", "max_retry", "v1.2", "Ada", "東京", "x9", "don't"]), max_size=12))
def test_a_text_has_the_terms_of_its_words(words):
    assert terms(" ".join(words)) == [term for word in words for term in terms(word)]


@given(st.text(alphabet="abcdeéöß", min_size=1, max_size=12))
def test_case_does_not_matter_to_words(word):
    assert terms(word) == terms(word.upper()) == terms(word.capitalize())


def test_two_megabytes_a_second():
    text = (
        "The scheduler places each pod on a node that satisfies its constraints, see kube_scheduler 1.28. " * 5_000
    )
    began = time.process_time()
    terms(text)
    assert len(text) / (time.process_time() - began) > 2_000_000


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "a." * 100_000, "_" * 200_000, "1," * 100_000, "漢" * 50_000, "e\u0301" * 50_000]
)
def test_no_text_is_slow(text):
    began = time.process_time()
    terms(text)
    assert time.process_time() - began < 2
