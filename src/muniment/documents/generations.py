"""A second index for a collection: built beside the present one, switched to and back, dropped."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import (
    CollectionMissing,
    CollectionRef,
    IndexRef,
    IndexState,
    Lookup,
    OfCollection,
    PrepareIndex,
    StandbyNotReady,
    StandbyThere,
)
from muniment.documents import copies, run_store
from muniment.documents.base import RunChanged
from muniment.documents.building import OfIndexJob, forgotten
from muniment.documents.chunking.recipe import RECIPES
from muniment.documents.contract import ById, Run
from muniment.documents.runs import Runs
from muniment.documents.store import generations, jobs
from muniment.embedding.contract import EmbedPassages
from muniment.kernel.caller import caller
from muniment.kernel.problems import Forbidden, Invalid, Problem

_SAMPLE = "Does this model embed a sentence?"


class Generations(Runs):
    """The use cases of a collection's indexes; for its managers and `collections:admin`."""

    async def build_index(self, request: PrepareIndex) -> Run:
        """What cannot be made is refused before anything changes."""
        ref = await self._to_index(request.collection)
        await self._require_fit(request)
        try:
            ref = await self._parts.collections.prepare_index(request.model_copy(update={"collection": ref.id}))
        except StandbyThere:
            async with self._database.read() as connection:
                known = await copies.written(connection, ref.id)
            if ref.standby is None or ref.standby.name in known:
                raise
            # Whoever began it was cut off before this room knew of it.
        assert ref.standby is not None
        async with self._database.write() as connection:
            run = await self._begin(connection, ref, ref.standby)
        return await self.get_run(ById(id=run))

    async def _begin(self, connection: AsyncConnection, ref: CollectionRef, standby: IndexRef) -> str:
        """From this commit on what becomes current stands in both; the job sees to what is current already."""
        await copies.put_written(connection, ref.id, {index.name: index for index in ref.written})
        job = OfIndexJob(collection=ref.id, index=standby)
        run = await self._jobs.enqueue(connection, "build-index", job, subject=ref.id)
        row = generations.c.collection == ref.id, generations.c.name == standby.name
        await connection.execute(update(generations).where(*row).values(run=run))
        who = {"principal": caller().principal, "collection": ref.id}
        await run_store.put(connection, [{"id": run, "kind": "build-index", **who}])
        await self._outbox.put(
            connection, "task.run.changed", RunChanged(id=run, kind="build-index", state="queued")
        )
        return run

    async def _require_fit(self, request: PrepareIndex) -> None:
        """Raises Invalid for a recipe that there is not, or a model that cannot embed."""
        if request.recipe is not None and request.recipe not in RECIPES:
            reason = f"there is no recipe {request.recipe!r}; known are {', '.join(sorted(RECIPES))}"
            raise Invalid(reason, errors=[{"field": "recipe", "reason": reason}])
        if request.model is None:
            return
        try:
            await self._parts.embedding.embed_passages(EmbedPassages(model=request.model, texts=(_SAMPLE,)))
        except Problem as problem:
            if problem.retryable:
                raise
            reason = f"cannot be used: {problem.detail}"
            raise Invalid(f"model {reason}", errors=[{"field": "model", "reason": reason}]) from problem

    async def index_status(self, request: OfCollection) -> IndexState:
        """Counted afresh."""
        return await self._state(await self._to_index(request.collection))

    async def switch_index(self, request: OfCollection) -> IndexState:
        """What becomes current from the build on stands in both: once nothing is missing, nothing will be."""
        ref = await self._to_index(request.collection)
        state = await self._state(ref)
        if state.missing:
            raise StandbyNotReady(
                f"{state.missing} of {state.total} documents of {ref.name} are not in its second index: "
                f"wait for the run, or retry it",
                collection=ref.name,
                missing=state.missing,
                run=state.run,
            )
        return await self._state(await self._parts.collections.switch_index(OfCollection(collection=ref.id)))

    async def drop_index(self, request: OfCollection) -> IndexState:
        """No search finds it after the answer; its points go a while later, for those that began before."""
        ref = await self._to_index(request.collection)
        dropped = (await self._parts.collections.drop_index(OfCollection(collection=ref.id))).standby
        assert dropped is not None
        async with self._database.write() as connection:
            await forgotten(connection, self._parts, ref.id, dropped)
        return await self._state(ref.model_copy(update={"standby": None}))

    async def _state(self, ref: CollectionRef) -> IndexState:
        standby = ref.standby
        name = ref.index.name if standby is None else standby.name
        async with self._database.read() as connection:
            done, total = await copies.progress(connection, ref.id, name)
            row = generations.c.collection == ref.id, generations.c.name == name
            known = (await connection.execute(select(generations.c.run).where(*row))).first()
            run = None if known is None else known.run
            open_ = select(jobs.c.id).where(jobs.c.id == run, jobs.c.state.in_(run_store.OPEN))
            building = (await connection.execute(open_)).first() is not None
        if standby is None:
            return IndexState(
                index=ref.index, standby=None, state="none", done=total, total=total, missing=0, run=None
            )
        # One that this room was never told of holds nothing, though it may lack nothing.
        ready = known is not None and done == total
        return IndexState(
            index=ref.index,
            standby=standby,
            state="ready" if ready else "building" if building else "incomplete",
            done=done,
            total=total,
            missing=total - done,
            run=run,
        )

    async def _to_index(self, name: str) -> CollectionRef:
        """Raises CollectionMissing where the caller does not see it, Forbidden where they may not change it."""
        who = caller()
        refs = (await self._parts.collections.lookup(Lookup(collections=(name,)))).items
        ref = next((r for r in refs if r.id not in who.withheld), None)
        if ref is None or not ref.visible:
            raise CollectionMissing(f"no collection {name} that you may see", collection=name)
        manages = ref.manager and "documents:write" in who.scopes
        if not (manages or "collections:admin" in who.scopes):
            raise Forbidden(f"you may not change the index of {ref.name}", collection=ref.name)
        return ref
