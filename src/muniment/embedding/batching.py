"""How texts are put together for the model: pure functions over their lengths and ids."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ids = Sequence[int]


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indexes of the texts in batches of like length, shortest first.

    A batch, padded to its longest, holds at most `budget` tokens, or a single text.
    """
    found: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if found and lengths[index] * (len(found[-1]) + 1) <= budget:
            found[-1].append(index)
        else:
            found.append([index])
    return found


def padded(texts: Sequence[Ids]) -> dict[str, NDArray[np.int64]]:
    """The graph's inputs: what is padding is masked, so it changes nothing."""
    longest = max(map(len, texts))
    ids = np.zeros((len(texts), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return {"ids": ids, "mask": mask, "positions": np.arange(longest)}


def windows(count: int, most: int) -> list[tuple[int, int]]:
    """Spans that cover `count` tokens, each of at most `most`, as even as can be; one when there is none.

    Even, so that no window is a mere rest whose vector would weigh as much as the others'.
    """
    parts = max(1, -(-count // most))
    return [(count * part // parts, count * (part + 1) // parts) for part in range(parts)]
