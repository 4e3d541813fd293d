"""How long to wait before trying again."""

import random


def backoff_seconds(attempt: int, *, first: float = 2.0, most: float = 300.0) -> float:
    """The wait after the failed `attempt` (from 1): doubles each time, half of it by chance.

    Chance keeps those who failed together from coming back together.
    """
    whole = min(most, first * 2.0 ** min(attempt - 1, 30))
    return whole * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing
