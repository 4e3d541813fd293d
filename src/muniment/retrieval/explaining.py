"""Why a document is, or is not, among what a search finds."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from muniment.documents.contract import ById, Document, Documents
from muniment.kernel.caller import caller
from muniment.kernel.model import Matrix
from muniment.retrieval.contract import Explained, ExplainSearch, Hits, Outcome, Search, Standing
from muniment.retrieval.filters import conditions
from muniment.retrieval.places import Place
from muniment.retrieval.scope import Asked, Scope, Scoping
from muniment.retrieval.wording import standing_told
from muniment.text.phrases import unquoted
from muniment.vectors.contract import (
    AnyOf,
    AnyQuery,
    CountPoints,
    DenseQuery,
    Filter,
    IndexMissing,
    KeywordQuery,
    ScoredPoint,
    SearchPoints,
    Vectors,
)

DEEPEST = 200
"""How far down the order is looked for the document."""

_DEEPEST_LIST = 1000

Find = Callable[[Search], Awaitable[Hits]]
Embed = Callable[[str, Scope], Awaitable[dict[str, Matrix]]]


class Explaining:
    """Asks the neighbours, one question after another, until one of them is the reason."""

    def __init__(self, scoping: Scoping, documents: Documents, engine: Vectors, find: Find, embed: Embed) -> None:
        self._scoping, self._documents, self._engine = scoping, documents, engine
        self._find, self._embed = find, embed

    async def explain(self, request: ExplainSearch) -> Explained:
        """As the contract says: what the caller may not read is missing, before anything else is looked at."""
        document = await self._documents.get(ById(id=request.document))
        wide = Asked(request.collections, {}, request.as_of, request.standby)
        scope = await self._scoping.of(wide._replace(filters=request.filters))
        if reason := _not_there(document, request.as_of):
            return reason
        if scope.collections and document.collection not in {ref.name for ref in scope.collections}:
            names = ", ".join(ref.name for ref in scope.collections)
            return _explained(document, "elsewhere", f"is in {document.collection}; the search looked in {names}.")
        excluded = await self._excluded(request, await self._scoping.of(wide), document)
        if excluded is None:
            return _explained(
                document, "not-indexed", "has no passages in the index at present; try again shortly."
            )
        if excluded:
            says = f"does not pass the filter on {', '.join(excluded)}; leave it out to find it."
            return _explained(document, "filtered", says).model_copy(update={"excluded_by": excluded})
        return await self._ranked(request, scope, document)

    async def _excluded(self, request: ExplainSearch, scope: Scope, document: Document) -> tuple[str, ...] | None:
        """Fields whose filter the document does not pass; None where no passage of it is in an index."""
        alone = AnyOf(field="document", values=(document.id,))
        if not await self._count(scope, (alone,)):
            return None
        excluded = []
        for field, value in request.filters.items():
            if not await self._count(scope, (alone, *conditions({field: value}))):
                excluded.append(field)
        return tuple(excluded)

    async def _count(self, scope: Scope, wanted: Filter) -> int:
        total = 0
        for place in scope.places:
            try:
                counted = CountPoints(index=place.name, filter=(*place.filter, *wanted))
                total += (await self._engine.count(counted)).count
            except IndexMissing:
                continue  # nothing was written to it yet
        return total

    async def _ranked(self, request: ExplainSearch, scope: Scope, document: Document) -> Explained:
        search = Search(
            query=request.query,
            collections=request.collections,
            filters=request.filters,
            mode=request.mode,
            as_of=request.as_of,
            ranking=request.ranking,
            standby=request.standby,
            group_by="document",
            limit=DEEPEST,
            explain=True,
        )
        found = await self._find(search)
        hits, instead = found.hits, ""
        if found.corrected is not None:
            instead = f' for "{found.corrected}" instead'
            request = request.model_copy(update={"query": found.corrected})
        standings = await self._standings(request, scope, document)
        sides = " ".join(standing_told(standing) for standing in standings)
        for rank, hit in enumerate(hits, 1):
            if hit.document.id == document.id:
                says = f"is number {rank} of {len(hits)} documents found{instead}. {sides}"
                return _explained(document, "found", says).model_copy(
                    update={"rank": rank, "standings": standings, "hit": hit}
                )
        if not standings:
            return _explained(document, "unmatched", "holds none of the words of the query.")
        if phrases := unquoted(request.query).phrases:
            quoted = " and ".join(f'"{phrase}"' for phrase in phrases)
            return _explained(document, "unmatched", f"is not among the documents found to say {quoted} exactly.")
        low = _explained(document, "ranked-low", f"is not among the {len(hits)} best documents{instead}. {sides}")
        return low.model_copy(update={"standings": standings})

    async def _standings(self, request: ExplainSearch, scope: Scope, document: Document) -> tuple[Standing, ...]:
        """The document's best passage by each way of searching, and its rank by that way alone."""
        vectors = {} if request.mode == "keyword" else await self._embed(request.query, scope)
        alone = AnyOf(field="document", values=(document.id,))
        for place in scope.places:
            queries: list[AnyQuery] = []
            if place.model in vectors:
                queries.append(DenseQuery(vector=vectors[place.model], limit=_DEEPEST_LIST))
            if request.mode != "dense":
                queries.append(KeywordQuery(text=request.query, language=scope.language, limit=_DEEPEST_LIST))
            own = await self._lists(place, [q.model_copy(update={"limit": 1}) for q in queries], (alone,))
            if not any(own):
                continue
            lists = await self._lists(place, queries, ())
            return tuple(
                Standing(signal=query.kind, value=best[0].score, **_rank(document.id, points))
                for query, best, points in zip(queries, own, lists, strict=True)
                if best
            )
        return ()

    async def _lists(
        self, place: Place, queries: Sequence[AnyQuery], more: Filter
    ) -> Sequence[Sequence[ScoredPoint]]:
        if not queries or not caller().tokens:
            return ()
        asked = SearchPoints(
            index=place.name, queries=tuple(queries), readers=caller().tokens, filter=(*place.filter, *more)
        )
        try:
            return (await self._engine.search(asked)).lists
        except IndexMissing:
            return ()


def _rank(document: str, points: Sequence[ScoredPoint]) -> dict[str, int | None]:
    order = list(dict.fromkeys(point.document for point in points))
    return {"rank": order.index(document) + 1 if document in order else None, "of": len(order)}


def _not_there(document: Document, as_of: datetime | None) -> Explained | None:
    """Why no version of it can be found; None where one can."""
    if as_of is None:
        return _not_current(document) if document.version is None else None
    begun = [version for version in document.versions if version.current_from and version.current_from <= as_of]
    if not begun:
        return _explained(document, "not-indexed", f"had no version that was current at {as_of.isoformat()}.")
    if any(version.current_to is None or version.current_to > as_of for version in begun):
        return None
    return _explained(document, "not-indexed", "has been replaced, and its version of that time is not kept.")


def _not_current(document: Document) -> Explained:
    newest = document.versions[-1] if document.versions else None
    if newest is not None and newest.state == "failed":
        reason = str((newest.problem or {}).get("detail", "no reason was kept"))
        return _explained(document, "failed", f"could not be read: {reason}")
    state = newest.state if newest else "received"
    return _explained(document, "not-indexed", f"is not indexed yet: its version is {state}. Try again shortly.")


def _explained(document: Document, outcome: Outcome, says: str) -> Explained:
    return Explained(document=document.id, outcome=outcome, says=f"{document.title} {says}".strip())
