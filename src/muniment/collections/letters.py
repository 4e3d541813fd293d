"""Events of this room that were not heard: listed, sent again, dropped."""

from sqlalchemy import ColumnElement, RowMapping

from muniment.collections import store
from muniment.collections.contract import OPERATOR, DeadLetter, DeadLetterMissing, ListDeadLetters, OfDeadLetter
from muniment.kernel.caller import caller
from muniment.kernel.database import Database
from muniment.kernel.model import Nothing, Page
from muniment.kernel.outbox import Outbox
from muniment.kernel.pages import decode_cursor, encode_cursor

_EVENTS, _LETTERS = "evt_", "evt_collections_"


class Letters:
    """The use cases over the outbox."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def list_dead_letters(self, request: ListDeadLetters) -> Page[DeadLetter]:
        """A letter's id is its event's, with the room's name in it."""
        if OPERATOR.isdisjoint(caller().scopes):
            return Page(items=(), next_cursor=None)
        where: list[ColumnElement[bool]] = []
        if request.kind is not None:
            where.append(store.outbox.c.type == request.kind)
        if request.cursor is not None:
            where.append(store.outbox.c.id < str(decode_cursor(request.cursor, str)[0]))
        async with self._database.read() as connection:
            rows = await self._outbox.dead(connection, *where, limit=request.limit + 1)
        shown = rows[: request.limit]
        return Page(
            items=tuple(_letter(row) for row in shown),
            next_cursor=encode_cursor(shown[-1]["id"]) if len(rows) > request.limit else None,
        )

    async def retry_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """Its other subscribers may hear of it a second time."""
        event = _event_of(request.id)
        async with self._database.write() as connection:
            if not await self._outbox.revive(connection, event):
                raise _no_letter(request.id)
        return Nothing()

    async def drop_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """What nobody heard of is not done."""
        event = _event_of(request.id)
        async with self._database.write() as connection:
            if not await self._outbox.drop(connection, event):
                raise _no_letter(request.id)
        return Nothing()


def _letter(row: RowMapping) -> DeadLetter:
    return DeadLetter(
        id=_LETTERS + row["id"].removeprefix(_EVENTS),
        kind=row["type"],
        room="collections",
        what="event",
        collection=row["data"].get("name"),
        document=None,
        problem=row["problem"],
        attempts=row["attempts"],
        created_at=row["at"],
        failed_at=row["next_attempt_at"],
    )


def _event_of(letter: str) -> str:
    """Raises DeadLetterMissing for who may not see it, Forbidden for who may see it only."""
    scopes = caller().scopes
    if not letter.startswith(_LETTERS) or OPERATOR.isdisjoint(scopes):
        raise _no_letter(letter)
    caller().require("collections:admin")
    return _EVENTS + letter.removeprefix(_LETTERS)


def _no_letter(letter: str) -> DeadLetterMissing:
    return DeadLetterMissing(f"no dead letter {letter} that you may see", dead_letter=letter)
