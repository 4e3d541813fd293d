"""Parents that overlap become one passage, and a quote's place in the version stays exact."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge.conftest import LEASES, hit
from muniment.documents.contract import ParentText, Span
from muniment.generation.contract import Quote
from muniment.knowledge.citing import Footnotes, passages


def parent(document, start, end):
    first = hit(document, LEASES[start : start + 1], LEASES)
    return first.model_copy(update={"parent": ParentText(text=LEASES[start:end], span=Span(start=start, end=end))})


SPANS = st.lists(
    st.tuples(st.sampled_from(["doc_1", "doc_2"]), st.integers(0, 200), st.integers(1, 80)), max_size=8
)


@given(SPANS, st.data())
def test_passages_are_the_text_of_the_version(spans, data):
    found = passages([parent(d, a, a + n) for d, a, n in spans], most=100)
    for passage in found:
        assert passage.text == LEASES[passage.start : passage.end]
        for other in found:
            same = passage.hits[0].document.id == other.hits[0].document.id and passage is not other
            assert not (same and passage.start < other.end and other.start < passage.end)
    assert sum(len(p.hits) for p in found) == len(spans)
    for number, passage in enumerate(found):
        start = data.draw(st.integers(0, len(passage.text) - 1))
        end = data.draw(st.integers(start + 1, len(passage.text)))
        (note,), _ = Footnotes(found).note([Quote(source=number, start=start, end=end)])
        assert note.quote == LEASES[note.span.start : note.span.end]


def test_the_best_come_first_and_no_more_than_asked():
    found = passages([parent("doc_1", 100, 120), parent("doc_2", 0, 20), parent("doc_1", 0, 20)], most=2)
    assert [(p.hits[0].document.id, p.start) for p in found] == [("doc_1", 100), ("doc_2", 0)]


def test_another_version_of_the_same_document_stays_apart():
    one = parent("doc_1", 0, 20)
    two = one.model_copy(update={"document": one.document.model_copy(update={"version": 4})})
    assert len(passages([one, two], most=9)) == 2


def test_the_same_span_is_the_same_footnote():
    notes = Footnotes(passages([parent("doc_1", 0, 60)], most=1))
    quotes = [Quote(source=0, start=0, end=7), Quote(source=0, start=8, end=10), Quote(source=0, start=0, end=7)]
    fresh, numbers = notes.note(quotes)
    assert [f.number for f in fresh] == [1, 2]
    assert numbers == (1, 2)
    assert notes.note(quotes[:1]) == ([], (1,))
