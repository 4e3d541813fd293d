"""A collection's second index: given, switched to and back, dropped, by those who may; and its ranking."""

from typing import Any

import pytest
from pydantic import ValidationError

from muniment.collections.contract import (
    CollectionMissing,
    CollectionRef,
    CreateCollection,
    GetCollection,
    Lookup,
    OfCollection,
    PrepareIndex,
    Ranking,
    StandbyMissing,
    StandbyThere,
    UpdateCollection,
)
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Forbidden

PLANS = OfCollection(collection="plans")


async def made(town: Any, **fields: Any) -> None:
    await town.user("ada")
    async with town.asking("ada") as collections:
        await collections.create(CreateCollection(name="plans", **fields))


async def found(town: Any) -> CollectionRef:
    async with town.asking("ada") as collections:
        (ref,) = (await collections.lookup(Lookup(collections=("plans",)))).items
    return CollectionRef.model_validate(ref)


async def test_the_second_index_is_of_the_next_generation_and_back_is_where_it_was(town: Any) -> None:
    await made(town)
    before = (await found(town)).index
    async with town.asking("ada") as collections:
        prepared = await collections.prepare_index(PrepareIndex(collection="plans", model="other"))
        assert prepared.index == before
        standby = prepared.standby
        assert (standby.model, standby.recipe, standby.generation) == ("other", before.recipe, 2)
        assert prepared.written == (before, standby)
        everywhere = await collections.indexes(Nothing())
        assert (everywhere.items, everywhere.written) == ((before,), (before, standby))
        switched = await collections.switch_index(PLANS)
        assert (switched.index, switched.standby) == (standby, before)
        back = await collections.switch_index(PLANS)
        assert (back.index, back.standby) == (before, standby)
        assert (await collections.drop_index(PLANS)).standby == standby
    ref = await found(town)
    assert (ref.index, ref.standby, ref.written) == (before, None, (before,))


async def test_a_generation_is_never_used_twice(town: Any) -> None:
    await made(town)
    seen = []
    async with town.asking("ada") as collections:
        for _ in range(3):
            prepared = await collections.prepare_index(PrepareIndex(collection="plans"))
            seen.append(prepared.standby.generation)
            await collections.drop_index(PLANS)
    assert seen == [2, 3, 4]


async def test_one_at_a_time_and_none_where_there_is_none(town: Any) -> None:
    await made(town)
    async with town.asking("ada") as collections:
        for call in (collections.switch_index, collections.drop_index):
            with pytest.raises(StandbyMissing):
                await call(PLANS)
        await collections.prepare_index(PrepareIndex(collection="plans"))
        with pytest.raises(StandbyThere):
            await collections.prepare_index(PrepareIndex(collection="plans"))


async def test_only_who_may_delete_it_may_change_its_index(town: Any) -> None:
    await made(town, members=("group:everyone",))
    await town.user("mem")
    async with town.asking("mem") as collections:
        for call, request in (
            (collections.prepare_index, PrepareIndex(collection="plans")),
            (collections.switch_index, PLANS),
            (collections.drop_index, PLANS),
        ):
            with pytest.raises(Forbidden):
                await call(request)
    async with town.asking("ada") as collections:
        await collections.update(UpdateCollection(name="plans", members=("user:ada",)))
    async with town.asking("mem") as collections:
        with pytest.raises(CollectionMissing):
            await collections.prepare_index(PrepareIndex(collection="plans"))
    async with town.asking("admin") as collections:
        assert (await collections.prepare_index(PrepareIndex(collection="plans"))).standby is not None


async def test_a_collection_has_a_model_and_a_ranking_of_its_own(town: Any) -> None:
    await made(town, model="my-model", ranking=Ranking(prior=0.5))
    ref = await found(town)
    assert ref.index.name == "my-model.structure-160.1"
    assert ref.ranking == Ranking(prior=0.5)
    async with town.asking("ada") as collections:
        changed = await collections.update(UpdateCollection(name="plans", ranking=Ranking(words=1, candidates=50)))
        assert changed.ranking == Ranking(words=1, candidates=50)
        cleared = await collections.update(UpdateCollection(name="plans", ranking=None))
        assert cleared.ranking is None
        assert (await collections.get(GetCollection(name="plans"))).index == ref.index


@pytest.mark.parametrize(
    "fields",
    [{"model": "../etc"}, {"ranking": {"prior": -1}}, {"ranking": {"candidates": 5}}, {"ranking": {"x": 1}}],
)
def test_what_fits_no_collection_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CreateCollection.model_validate({"name": "plans", **fields})
