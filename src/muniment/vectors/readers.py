"""The entitlement tokens in use in each index: a caller of a thousand groups is filtered by the few that occur."""

from collections import defaultdict
from collections.abc import Iterable

from muniment.vectors.contract import Payload
from muniment.vectors.engine.engine import Engine


class TokensInUse:
    """Asks the engine once for each index, then follows the writes of this room.

    It never forgets a token, so it may know too many, never too few; an engine that others write to too is left
    to filter by all tokens.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told: dict[str, frozenset[str]] = {}
        self._written: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, index: str, payloads: Iterable[Payload]) -> None:
        """What is about to be written; to be called before the engine is."""
        for payload in payloads:
            readers = payload.get("readers", ())
            assert isinstance(readers, tuple)
            self._written[index].update(map(str, readers))

    async def among(self, index: str, readers: frozenset[str]) -> frozenset[str]:
        """Those of the tokens by which a point of the index may be seen.

        Raises IndexMissing.
        """
        if self._engine.mark() is None:
            return readers
        if index not in self._told:
            self._told[index] = frozenset(await self._engine.tally(index, "readers", ()))
        written = self._written[index]
        return frozenset(token for token in readers if token in self._told[index] or token in written)
