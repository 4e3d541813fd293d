"""Passwords, by Argon2id, away from the event loop."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError


class Passwords:
    """Hashes and checks passwords, few at once: each takes a core and `memory_kib` while it lasts."""

    def __init__(self, *, memory_kib: int, passes: int, at_once: int) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._turn = asyncio.Semaphore(at_once)

    async def hashed(self, password: str) -> str:
        """The hash to keep, with its own salt and parameters inside."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether `password` is the one of which `kept` was made.

        `None`, for a user who does not exist, never fits and takes as long to say so.
        """
        if kept is None:
            await self.hashed(password)
            return False
        async with self._turn:
            try:
                return await asyncio.to_thread(self._hasher.verify, kept, password)
            except VerifyMismatchError:
                return False
