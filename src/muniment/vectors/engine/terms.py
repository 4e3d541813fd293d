"""When an index is given another shard."""

from typing import NamedTuple


class Terms(NamedTuple):
    """When points are indexed that are compared one by one, and at whose cost.

    From `index_from` such points on; later these must also be so large a share of all. Or fewer, from `rest_from`
    on and so large a share, once nothing has changed for `rest_seconds`: a house at rest compares nearly none.
    """

    index_from: int = 10_000
    index_again_share: float = 0.1
    quantize_from: int = 100_000
    least_free_bytes: int = 256_000_000
    niceness: int = 19
    rest_seconds: float = 60.0
    rest_from: int = 2000
    rest_share: float = 0.02

    def due(self, points: int, indexed: int, still_seconds: float = 0.0) -> bool:
        """Whether too many points are compared one by one, given for how long nothing has changed."""
        tail = points - indexed
        if tail >= self.index_from and tail >= self.index_again_share * points:
            return True
        rests = indexed > 0 and still_seconds >= self.rest_seconds
        return rests and tail >= self.rest_from and tail >= self.rest_share * points
