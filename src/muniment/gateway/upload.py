"""Uploads: files are staged as they arrive, and belong to the documents room or to nobody when it is over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from muniment.collections.contract import CollectionMissing, Collections, Lookup
from muniment.documents.contract import (
    Admit,
    CountReadable,
    Documents,
    NewDocument,
    Options,
    ProblemDocument,
    Upload,
    Uploaded,
)
from muniment.gateway.batch import BatchUpload, upload_of
from muniment.gateway.contract import NothingTaken
from muniment.gateway.endpoint import json_answer
from muniment.gateway.file_names import received
from muniment.gateway.multipart import PartBegins, PartEnds, PartEvent, part_events
from muniment.gateway.reading import IDEMPOTENCY_KEY, body_pieces, fitting, in_address, parsed_json
from muniment.gateway.settings import GatewaySettings
from muniment.gateway.staging import Staging
from muniment.kernel.blobs import Blobs
from muniment.kernel.problems import Forbidden, Invalid, TooLarge

_UPLOADED: TypeAdapter[Uploaded] = TypeAdapter(Uploaded)
ACCEPTED = 202


class Uploads:
    """Takes files and batches of texts for the documents room."""

    def __init__(
        self, settings: GatewaySettings, blobs: Blobs, collections: Collections, documents: Documents
    ) -> None:
        self._settings, self._blobs = settings, blobs
        self._collections, self._documents = collections, documents

    async def multipart(self, http: Request) -> Response:
        """Files in a form; whose collection it is, and if there is room, is asked before a byte is read."""
        collection = in_address("collection", http.path_params["collection"])
        await self._check_member(collection)
        limit = self._settings.upload_limit_bytes
        declared = http.headers.get("content-length", "")
        if (
            declared.isascii()
            and declared.isdigit()
            and int(declared[:20]) > limit + self._settings.body_limit_bytes
        ):
            raise _upload_too_large(limit)
        await self._documents.admit(Admit(collection=collection))
        async with Staging(self._blobs, self._settings.file_limit_bytes) as staging:
            form = _Form(self._settings, staging)
            async with (
                aclosing(body_pieces(http)) as pieces,
                aclosing(part_events(http.headers.get("content-type", ""), pieces)) as events,
            ):
                await form.fill(events)
            given: dict[str, Any] = {"collection": collection, "documents": await form.documents()}
            if (key := http.headers.get("idempotency-key")) is not None:
                given[IDEMPOTENCY_KEY] = key
            request = fitting(Upload, given)
            staging.hand_over()
            return json_answer(_UPLOADED.dump_json(taken(await self._documents.upload(request))), ACCEPTED)

    async def batch(self, request: BatchUpload) -> Uploaded:
        """Texts in a JSON body."""
        await self._check_member(request.collection)
        return taken(await self._documents.upload(upload_of(request)))

    async def _check_member(self, name: str) -> None:
        """Raises CollectionMissing for who does not see the collection, Forbidden for who is no member of it."""
        found = (await self._collections.lookup(Lookup(collections=(name,)))).items
        if found and found[0].member:
            return
        if found and (found[0].visible or await self._reads_in(found[0].id)):
            raise Forbidden(f"only members of the collection {name} may upload to it", collection=name)
        raise CollectionMissing(f"no collection {name} that you may see", collection=name)

    async def _reads_in(self, collection: str) -> bool:
        counts = await self._documents.count_readable(CountReadable(collections=(collection,)))
        return counts.counts.get(collection, 0) > 0


def taken(uploaded: Uploaded) -> Uploaded:
    """The answer, if any of the files was taken.

    Raises NothingTaken otherwise.
    """
    refused = [document.problem for document in uploaded.documents if document.problem is not None]
    if refused and len(refused) == len(uploaded.documents):
        first = refused[0].get("detail") or refused[0].get("title")
        raise NothingTaken(
            f"none of the files was taken; the first because: {first}",
            documents=uploaded.model_dump(mode="json")["documents"],
            errors=[error for index, why in enumerate(refused) for error in _errors(f"documents.{index}", why)],
        )
    return uploaded


def _errors(at: str, why: ProblemDocument) -> list[dict[str, str]]:
    own = why.get("errors")
    if isinstance(own, list) and own:
        given = [error for error in own if isinstance(error, dict)]
        return [{"field": f"{at}.{error.get('field')}", "reason": str(error.get("reason"))} for error in given]
    return [{"field": at, "reason": str(why.get("detail") or why.get("title"))}]


class _Form:
    """What a form holds so far."""

    def __init__(self, settings: GatewaySettings, staging: Staging) -> None:
        self._settings, self._staging = settings, staging
        self._files: list[PartBegins] = []
        self._options: bytes | None = None
        self._bytes = 0

    async def fill(self, events: AsyncIterator[PartEvent]) -> None:
        async for event in events:
            if not isinstance(event, PartBegins):
                raise TypeError("a part's bytes came before its beginning")
            if event.name == "file":
                await self._take_file(event, events)
            elif event.name == "options" and self._options is None:
                self._options = await self._take_options(events)
            else:
                raise _unfit(
                    event.name, "is given twice" if event.name == "options" else "is no part of an upload"
                )

    async def _take_file(self, part: PartBegins, events: AsyncIterator[PartEvent]) -> None:
        most = self._settings.upload_limit_files
        if len(self._files) >= most:
            raise TooLarge(f"file: over the limit of {most} files in one upload", field="file", limit_files=most)
        part = part._replace(file_name=received(part.file_name))
        self._files.append(part)
        await self._staging.take(part.file_name or "a file", self._counted(events))

    async def _counted(self, events: AsyncIterator[PartEvent]) -> AsyncIterator[bytes]:
        async for piece in _bytes_of_part(events):
            self._bytes += len(piece)
            if self._bytes > self._settings.upload_limit_bytes:
                raise _upload_too_large(self._settings.upload_limit_bytes)
            yield piece

    async def _take_options(self, events: AsyncIterator[PartEvent]) -> bytes:
        limit = self._settings.body_limit_bytes
        whole = bytearray()
        async for piece in _bytes_of_part(events):
            whole += piece
            if len(whole) > limit:
                raise TooLarge(f"options: over the limit of {limit} bytes", field="options", limit_bytes=limit)
        return bytes(whole)

    async def documents(self) -> tuple[NewDocument, ...]:
        """One for each file, in order.

        Raises Invalid when there is no file, or the options do not fit.
        """
        if not self._files:
            raise _unfit("file", "there is none; send at least one part named `file`")
        options = _options(self._options, len(self._files))
        parts = zip(self._files, await self._staging.settled(), options, strict=True)
        return tuple(
            NewDocument(content=staged, name=part.file_name, media_type=part.media_type, options=chosen)
            for part, staged, chosen in parts
        )


def _options(raw: bytes | None, files: int) -> Sequence[Options]:
    """The options of each file: one object for all of them, or a list with one for each."""
    given = {} if raw is None else parsed_json(raw, "options")
    each = given if isinstance(given, list) else [given] * files
    if len(each) != files:
        raise _unfit(
            "options", f"{len(each)} options for {files} files; give one for each, in order, or one object for all"
        )
    if not all(isinstance(one, dict) for one in each):
        raise _unfit("options", "is neither a JSON object nor a list of objects")
    if not isinstance(given, list):
        return [_option(given, "options")] * files
    return [_option(one, f"options.{index}") for index, one in enumerate(each)]


def _option(given: dict[str, Any], at: str) -> Options:
    try:
        return fitting(Options, given)
    except Invalid as unfit:
        errors = [{**error, "field": f"{at}.{error['field']}"} for error in unfit.extra["errors"]]
        raise Invalid(f"the request does not fit: {at}: {errors[0]['reason']}", errors=errors) from unfit


async def _bytes_of_part(events: AsyncIterator[PartEvent]) -> AsyncIterator[bytes]:
    async for event in events:
        if isinstance(event, PartEnds):
            return
        if isinstance(event, bytes):
            yield event


def _unfit(field: str, reason: str) -> Invalid:
    return Invalid(f"{field}: {reason}", errors=[{"field": field, "reason": reason}])


def _upload_too_large(limit: int) -> TooLarge:
    return TooLarge(f"body: over the limit of {limit} bytes in one upload", field="body", limit_bytes=limit)
