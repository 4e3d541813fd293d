"""Excerpts: where the words are, within the room there is."""

from hypothesis import given
from hypothesis import strategies as st

from muniment.text.excerpt import excerpt

TEXT = (
    "# Care\n\nThe probe wants little. Wipe it with a cloth.\n\n"
    "The battery lasts two years. Change the battery when the light blinks red. Old ones are given back.\n\n"
    "Leave it dry."
)


def test_the_sentence_with_the_most_of_the_words_comes_first():
    assert excerpt(TEXT, "change a battery", 60) == "…Change the battery when the light blinks red. Old ones are…"
    assert excerpt(TEXT, "batteries last how many years", 40) == "…The battery lasts two years. Change th…"
    assert excerpt(TEXT, "leaving it dry", 40) == "…Leave it dry."


def test_as_many_words_as_can_be_shown_are():
    shown = excerpt(TEXT, "battery light years", 80)
    assert shown == "…The battery lasts two years. Change the battery when the light blinks red. Old…"


def test_without_the_words_it_is_the_start_and_what_is_short_is_whole():
    assert excerpt(TEXT, "lease renewal", 40) == "# Care The probe wants little. Wipe it …"
    assert excerpt(TEXT, "the of", 40) == "# Care The probe wants little. Wipe it …"
    assert excerpt("All  of\nit.", "it", 40) == "All of it."
    assert excerpt("", "it", 40) == ""


def test_a_sentence_that_is_too_long_is_cut():
    assert excerpt("word " * 100, "word", 12) == "word word w…"


@given(st.text("ab. \n#", max_size=80), st.text("ab ", max_size=8), st.integers(4, 90))
def test_it_is_never_longer_and_of_the_text_alone(text, query, most):
    shown = excerpt(text, query, most)
    assert len(shown) <= most
    assert shown.strip("…").strip() in " ".join(text.split())
