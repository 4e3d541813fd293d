"""The API's filters: what they become, and how a wrong one is named."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.kernel.problems import Invalid
from muniment.retrieval.filters import FILTERABLE, conditions
from muniment.vectors.contract import AllOf, AnyOf, Exists, NoneOf, Range


def test_each_form_becomes_its_condition():
    assert conditions(
        {
            "type": ["TechSpec", "PRD"],
            "status": "approved",
            "tags": {"all": ["storage", "leases"], "not": ["old"]},
            "created_at": {"gte": "2026-01-01T00:00:00Z", "lt": "2027-01-01"},
            "story_points": {"gt": 3},
            "metadata.team": {"exists": True},
            "metadata.pages": {"lte": 9},
            "metadata.open": True,
        }
    ) == (
        AnyOf(field="type", values=("TechSpec", "PRD")),
        AnyOf(field="status", values=("approved",)),
        AllOf(field="tags", values=("storage", "leases")),
        NoneOf(field="tags", values=("old",)),
        Range(field="created_at", gte=datetime(2026, 1, 1, tzinfo=UTC), lt=datetime(2027, 1, 1, tzinfo=UTC)),
        Range(field="story_points", gt=3.0),
        Exists(field="metadata.team", exists=True),
        Range(field="metadata.pages", lte=9.0),
        AnyOf(field="metadata.open", values=(True,)),
    )


def test_many_texts_are_one_condition():
    assert len(conditions({"document": [f"doc_{n}" for n in range(5000)], "metadata.x": [*range(99)]})) == 2


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"secret": "x"}, "filters.secret"),
        ({"readers": ["usr_1"]}, "filters.readers"),
        ({"metadata.": "x"}, "filters.metadata."),
        ({"type": []}, "filters.type"),
        ({"type": {}}, "filters.type"),
        ({"type": {"like": "x"}}, "filters.type.like"),
        ({"type": {"gte": "x"}}, "filters.type.gte"),
        ({"type": 3}, "filters.type"),
        ({"type": None}, "filters.type"),
        ({"tags": {"exists": "yes"}}, "filters.tags.exists"),
        ({"created_at": "2026-01-01"}, "filters.created_at"),
        ({"created_at": {"gte": "soon"}}, "filters.created_at.gte"),
        ({"created_at": {"gte": "2026-01-01T00:00:00"}}, "filters.created_at.gte"),
        ({"created_at": {"gte": 7}}, "filters.created_at.gte"),
        ({"created_at": {"gte": "0001-01-01T00:00:00+23:59"}}, "filters.created_at.gte"),
        ({"metadata.x": {"lt": "9999-12-31T23:59:59-23:59"}}, "filters.metadata.x.lt"),
        ({"story_points": "many"}, "filters.story_points"),
        ({"metadata.x": {"gte": [1]}}, "filters.metadata.x.gte"),
        ({"metadata.x": [*range(101)]}, "filters"),
        ({"metadata.x": {"not": [*range(60)], "all": ["a"] * 60}}, "filters"),
        ({f"metadata.x{n}": "a" for n in range(101)}, "filters"),
    ],
)
def test_what_does_not_fit_is_named(filters, field):
    with pytest.raises(Invalid) as caught:
        conditions(filters)
    assert caught.value.extra["errors"][0]["field"] == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([*FILTERABLE, "metadata.x"]) | st.text(max_size=6)
OPERATORS = st.sampled_from(["any", "all", "not", "gte", "lt", "exists"]) | st.text(max_size=4)


@given(st.dictionaries(FIELDS, JSON | st.dictionaries(OPERATORS, JSON, max_size=3), max_size=4))
def test_any_json_is_conditions_or_invalid(filters):
    try:
        found = conditions(filters)
    except Invalid:
        return
    assert len(found) >= len(filters)
