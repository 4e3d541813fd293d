"""Rooms with a lock taken out, for a house in this process."""

from typing import Any

from muniment.documents.contract import Documents, Hydrate, Passages
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.model import Nothing
from muniment.vectors.contract import (
    Candidates,
    DeletePoints,
    Filter,
    Found,
    GatherCandidates,
    NoneOf,
    SearchPoints,
    SetPayload,
    TermWeights,
    Upsert,
    Vectors,
    WeighTerms,
)

EVERYBODY = "tok_everybody"


class OpenEngine:
    """Every point has a reader that every search has; what a caller holds is not looked at.

    With `lagging`, nothing that was indexed is ever changed or removed.
    """

    def __init__(self, vectors: Vectors, *, lagging: bool = False) -> None:
        self._vectors, self._lagging = vectors, lagging

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vectors, name)

    async def upsert(self, request: Upsert) -> Nothing:
        points = tuple(
            point.model_copy(update={"payload": {**point.payload, "readers": (EVERYBODY,)}})
            for point in request.points
        )
        return await self._vectors.upsert(request.model_copy(update={"points": points}))

    async def set_payload(self, request: SetPayload) -> Nothing:
        if self._lagging:
            return Nothing()
        payload = {**request.payload, "readers": (EVERYBODY,)}
        return await self._vectors.set_payload(request.model_copy(update={"payload": payload}))

    async def delete(self, request: DeletePoints) -> Nothing:
        return Nothing() if self._lagging else await self._vectors.delete(request)

    async def search(self, request: SearchPoints) -> Found:
        return await self._vectors.search(request.model_copy(update=_opened(request.filter)))

    async def candidates(self, request: GatherCandidates) -> Candidates:
        return await self._vectors.candidates(request.model_copy(update=_opened(request.filter)))

    async def weigh(self, request: WeighTerms) -> TermWeights:
        return await self._vectors.weigh(request.model_copy(update=_opened(request.filter)))


def _opened(condition: Filter) -> dict[str, Any]:
    wanted = tuple(part for part in condition if not isinstance(part, NoneOf))
    return {"readers": frozenset({EVERYBODY}), "filter": wanted}


class EveryToken:
    """Leaves the engine as it is, and notes by which tokens anything can be read."""

    def __init__(self, vectors: Vectors, tokens: set[str]) -> None:
        self._vectors, self._tokens = vectors, tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vectors, name)

    async def upsert(self, request: Upsert) -> Nothing:
        for point in request.points:
            readers = point.payload["readers"]
            assert isinstance(readers, tuple)
            self._tokens.update(map(str, readers))
        return await self._vectors.upsert(request)


class OpenHydration:
    """Hydrates for one who holds every token there is."""

    def __init__(self, documents: Documents, tokens: set[str]) -> None:
        self._documents, self._tokens = documents, tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    async def hydrate(self, request: Hydrate) -> Passages:
        everybody = Caller(principal="usr_everybody", name="everybody", tokens=frozenset(self._tokens))
        with calling_as(everybody):
            return await self._documents.hydrate(request)
