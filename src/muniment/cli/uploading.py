"""Uploading files in requests of bounded size, and what was answered for each."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muniment.cli.files import Source, has_changed
from muniment.cli.terminal import Steps
from muniment.kernel.problems import Invalid, Problem, Throttled, TooLarge, Unavailable
from muniment.sdk import File, Muniment

FILES_A_REQUEST, BYTES_A_REQUEST = 50, 32 << 20
LONGEST_WAIT_SECONDS = 30
_CHANGED = "it changed while it was read; add it again"


class _NeverRoom(Exception):  # noqa: N818 - an event, not an error of the program
    """The request holds more documents than the server ever lets wait."""

    def __init__(self, full: Throttled) -> None:
        super().__init__(full.detail)
        self.full = full


Answer = dict[str, Any]
"""The API's answer to one request; of a file that was not sent, what it would have said."""


class Uploading:
    """Uploads to one collection; `options` are those of every file."""

    def __init__(self, muniment: Muniment, collection: str, options: Mapping[str, Any], progress: Steps) -> None:
        self._muniment, self._collection = muniment, collection
        self._options, self._progress = options, progress

    def upload(self, files: Sequence[Source]) -> Iterator[Answer]:
        """An answer for each request; the documents of all are those of `files`, in order."""
        done = 0
        self._progress.show("uploading", 0, len(files))
        for batch in _batches(files):
            for answer in self._answers(batch):
                yield answer
                done += len(answer["documents"])
                self._progress.show("uploading", done, len(files))

    def _answers(self, batch: Sequence[Source]) -> Iterator[Answer]:
        """One for the batch; where a file in it cannot be read, one for each, so that the others go on."""
        try:
            yield self._told(batch, self._patiently(batch))
        except OSError as gone:
            if len(batch) > 1:
                for file in batch:
                    yield from self._answers([file])
            else:
                reason = _CHANGED if batch[0].path.exists() else (gone.strerror or str(gone)).lower()
                yield _refused(batch, [{"problem": Invalid(f"{reason}").document()}])
        except (TooLarge, _NeverRoom) as refused:
            # The request may have been too large where each file is not.
            if len(batch) > 1:
                for file in batch:
                    yield from self._answers([file])
            else:
                problem = refused.full if isinstance(refused, _NeverRoom) else refused
                yield _refused(batch, [{"problem": problem.document()}])
        except Problem as problem:
            if problem.status not in (413, 422):
                raise
            yield _refused(batch, problem.extra.get("documents") or [{"problem": problem.document()}] * len(batch))

    def _patiently(self, batch: Sequence[Source]) -> Answer:
        """Again when the server has room for it."""
        asked = [File(file.path, {"key": file.key, **self._options}, file.size_bytes) for file in batch]
        while True:
            try:
                answer: Answer = self._muniment.upload(self._collection, asked)
            except Throttled as full:
                if len(batch) > full.extra.get("limit_documents", len(batch)):
                    raise _NeverRoom(full) from full
                wait = min(full.retry_after_seconds or 1, LONGEST_WAIT_SECONDS)
                self._progress.show(f"the server has no room yet ({full.title}); waiting", 0, None)
                time.sleep(wait)
            except Unavailable as broken:
                again = "add the same files again: what was taken before is no new work"
                raise Unavailable(f"{broken.detail}; {again}", **broken.extra) from broken
            else:
                return answer

    def _told(self, batch: Sequence[Source], answer: Answer) -> Answer:
        """The answer; a file that was changed under the reader's hands may be half of two."""
        documents = [
            {**document, "problem": document["problem"] or Invalid(_CHANGED).document()}
            if has_changed(file)
            else document
            for file, document in zip(batch, answer["documents"], strict=True)
        ]
        return {**answer, "documents": documents}


def _batches(files: Sequence[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for file in files:
        if batch and (len(batch) == FILES_A_REQUEST or size + file.size_bytes > BYTES_A_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size_bytes
    if batch:
        yield batch


def _refused(batch: Sequence[Source], documents: Sequence[dict[str, Any]]) -> Answer:
    nothing = {"id": None, "key": None, "version": None, "duplicate": False, "run": None}
    told = [{**nothing, "key": file.key, **document} for file, document in zip(batch, documents, strict=True)]
    return {"run": None, "documents": told}
