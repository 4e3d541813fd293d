"""Contracts are what house and git say they are, and changes that take something away are seen."""

import copy

import pytest
from pydantic import BaseModel

from muniment.app import ROOMS, SUBSCRIPTIONS, needs_of
from muniment.collections.service import CollectionsSettings
from muniment.documents.chunking.recipe import RECIPE
from muniment.kernel.contract import operation, operations, room_of
from muniment.kernel.problems import Problem
from muniment.retrieval.contract import Retrieval
from rules.schemas import kept, narrowings, schema_of


@pytest.mark.parametrize("contract", ROOMS, ids=room_of)
def test_each_operation_takes_one_frozen_model_and_answers_with_models(contract):
    for op in operations(contract):
        assert op.request.model_config.get("frozen"), op
        replies = op.codec.core_schema
        assert replies["type"] in {"model", "tagged-union", "definitions"}, op
        assert issubclass(op.request, BaseModel)


@pytest.mark.parametrize("contract", ROOMS, ids=room_of)
def test_the_schema_in_git_is_the_contracts(contract):
    assert kept(contract) == schema_of(contract), "run `make contracts`"


def test_what_narrows_a_contract_is_seen():
    old = schema_of(Retrieval)

    def changed(change):
        new = copy.deepcopy(old)
        change(new)
        return list(narrowings(old, new))

    assert changed(lambda _: None) == []
    assert changed(lambda new: new.pop("search"))
    assert changed(lambda new: new["search"].update(idempotent=False))
    assert changed(lambda new: new["search"]["request"]["properties"].pop("limit"))
    assert changed(lambda new: new["search"]["request"].update(required=["query", "limit"]))
    assert changed(lambda new: new["search"]["request"]["properties"]["mode"].update(enum=["dense"]))
    assert changed(lambda new: new["search"]["reply"]["$defs"]["Hit"]["properties"].pop("score"))
    assert changed(lambda new: new["search"]["request"]["properties"].update(more={"type": "string"})) == []


def test_every_subscriber_takes_the_event():
    for subscription in SUBSCRIPTIONS:
        assert operation(subscription.contract, subscription.operation).idempotent


def test_builders_need_only_rooms_that_are_built_before_them():
    built: list[type] = []
    for contract in ROOMS:
        assert set(needs_of(contract)) <= set(built), contract
        built.append(contract)


def test_problems_have_a_status_of_their_kind():
    for kind in Problem.kinds.values():
        assert 400 <= kind.status < 600
        assert not kind.retryable or kind.status in {409, 429, 500, 503, 504}


def test_new_collections_get_the_recipe_that_chunks_are_made_by():
    assert CollectionsSettings().default_recipe == RECIPE.name
