"""Models are built in this process: another one takes half a second to begin."""

import asyncio

import pytest

from muniment.models import convert
from muniment.models.building import Build, Built, build_model


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child process does, without one."""

    async def build(request: Build) -> Built:
        return await asyncio.to_thread(convert.build, request)

    monkeypatch.setattr("muniment.models.making.build_model", build)


@pytest.fixture
def child(here: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - this comes after it
    """A process for each model after all."""
    monkeypatch.setattr("muniment.models.making.build_model", build_model)
