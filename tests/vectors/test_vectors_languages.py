"""Words of several languages in one index, and identifiers, as they are found."""

from collections.abc import Sequence
from uuid import uuid4

import numpy as np
import pytest

from muniment.vectors.contract import (
    AnyOf,
    GatherCandidates,
    KeywordQuery,
    Point,
    SearchPoints,
    SetPayload,
    Vectors,
    WeighTerms,
)
from vectors.asking import BASE, DIMENSIONS, index_of, keyword_scores, point

pytestmark = pytest.mark.asyncio(loop_scope="module")

A = frozenset({"usr_a"})


def written(text: str, language: str, **payload: object) -> Point:
    return Point(id=uuid4(), text=text, language=language, payload=BASE | {"language": language} | payload)


async def found(vectors: Vectors, index: str, query: str) -> set[object]:
    return set(await keyword_scores(vectors, index, query, {"usr_a"}))


async def test_each_passage_is_found_by_the_forms_of_its_own_language(vectors: Vectors) -> None:
    english = written("He was running through the houses", "en")
    german = written("Die Häuser der Städte wurden vermietet", "de")
    french = written("Les contrats signés", "fr")
    russian = written("Договоры аренды домов", "ru")
    index = await index_of(vectors, [english, german, french, russian])
    for query, meant in (
        ("run", english), ("house", english), ("Haus", german), ("Vermietet", german), ("Stadt", german),
        ("contrat signé", french), ("договор", russian), ("аренда", russian),
    ):  # fmt: skip
        assert await found(vectors, index, query) == {meant.id}, query


async def test_candidates_and_weights_follow_the_languages_too(vectors: Vectors) -> None:
    german = written("Die Häuser der Städte", "de")
    index = await index_of(vectors, [german, written("A house in the city", "en")])
    gathered = await vectors.candidates(GatherCandidates(index=index, text="Haus", pool=5, readers=A))
    words = gathered.scores[gathered.signals.index("words")]
    assert [point for point, score in zip(gathered.ids, words, strict=True) if score > 0] == [german.id]
    asked = "Wo sind die Häuser der Stadt?"
    weighed = await vectors.weigh(WeighTerms(index=index, text=asked, readers=A))
    assert weighed.unknown == ()
    assert set(weighed.weights) == {"haus", "stadt"}


async def test_articles_of_a_question_in_another_language_find_nothing(vectors: Vectors) -> None:
    there = written("The president of Poland", "en")
    index = await index_of(vectors, [there, written("Der, die, das, wer, war", "en")])
    assert await found(vectors, index, "Wer war der president von Polen?") == {there.id}


async def test_languages_of_passages_that_are_hidden_change_no_score(vectors: Vectors) -> None:
    visible = [written("news of the running houses", "en") for _ in range(3)]
    query = "the news of running houses"
    index = await index_of(vectors, visible)
    alone = await keyword_scores(vectors, index, query, {"usr_a"})
    hidden = [
        written("nouvelles des maisons", "fr", readers=("usr_b",)),
        written("Häuser", "de", readers=("usr_b",)),
    ]
    index = await index_of(vectors, [*visible, *hidden])
    assert await keyword_scores(vectors, index, query, {"usr_a"}) == alone


async def test_a_language_counts_from_the_moment_that_it_is_written(vectors: Vectors) -> None:
    kept = Point(id=uuid4(), text="Häuser", language="de", payload=BASE)
    index = await index_of(vectors, [kept], name="fresh")
    assert await found(vectors, index, "Häuser") == set()
    document = (AnyOf(field="document", values=("doc_1",)),)
    await vectors.set_payload(SetPayload(index=index, filter=document, payload={"language": "de"}))
    assert await found(vectors, index, "Häuser") == {kept.id}


async def test_the_language_that_is_named_is_one_of_them(vectors: Vectors) -> None:
    kept = Point(id=uuid4(), text="Häuser", language="de", payload=BASE)
    index = await index_of(vectors, [kept])
    query = KeywordQuery(text="Haus", language="de", limit=5)
    lists = (await vectors.search(SearchPoints(index=index, queries=(query,), readers=A))).lists
    assert [hit.id for hit in lists[0]] == [kept.id]


@pytest.mark.parametrize(
    ("said", "queries"),
    [
        ("call reload_config now", ["reload_config", "RELOAD_CONFIG", "reload", "config"]),
        ("set MaxSurgePods to 3", ["MaxSurgePods", "maxsurgepods", "surge", "pods", "max surge"]),
        ("use os.path.join here", ["os.path.join", "join", "path", "os.path"]),
        ("since v1.28.3 only", ["v1.28.3", "1.28.3", "V1.28.3"]),
        ("it fails with ORA-00942 there", ["ORA-00942", "ora-00942", "00942", "ORA"]),
        ("the error E1101 again", ["E1101", "e1101", "1101"]),
        ("an HTTPServerError is raised", ["HTTPServerError", "httpservererror", "server error"]),
        ("see muniment.text.terms", ["muniment.text.terms", "terms", "muniment"]),
        ("at 10.0.0.7 it listens", ["10.0.0.7"]),
        ("as of 2024-01-15", ["2024-01-15", "2024"]),
        ("written in C++ then", ["C++", "c++"]),
    ],
)
async def test_identifiers_are_found_whole_and_in_parts(
    vectors: Vectors, said: str, queries: Sequence[str]
) -> None:
    meant, other = point(said), point("nothing of the kind is told")
    index = await index_of(vectors, [meant, other])
    for query in queries:
        assert await found(vectors, index, query) == {meant.id}, query


async def test_a_whole_identifier_stands_before_its_parts(vectors: Vectors) -> None:
    whole, parts = point("max_retry is 3"), point("the retry of max size is 3")
    index = await index_of(vectors, [whole, parts], np.ones((2, DIMENSIONS), np.float32))
    scores = await keyword_scores(vectors, index, "max_retry", {"usr_a"})
    assert scores[whole.id] > scores[parts.id] > 0
