"""A small cache of what was embedded lately."""

from collections import OrderedDict
from hashlib import blake2b

from muniment.kernel.model import Floats, Model


class Row(Model):
    """A query's vector [1, dimensions] and how many tokens were read for it."""

    vector: Floats
    tokens: int


class Recent:
    """The last `most` rows, by model and text. Texts are kept as hashes: no list of what people asked."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: OrderedDict[bytes, Row] = OrderedDict()

    def get(self, model: str, text: str) -> Row | None:
        """The row, if it is still here."""
        key = _key(model, text)
        if key in self._rows:
            self._rows.move_to_end(key)
        return self._rows.get(key)

    def put(self, model: str, text: str, row: Row) -> None:
        """Keep it, in place of the one that was not asked for the longest."""
        self._rows[_key(model, text)] = row
        if len(self._rows) > self._most:
            self._rows.popitem(last=False)


def _key(model: str, text: str) -> bytes:
    return blake2b(f"{model}\n{text}".encode(errors="surrogatepass"), digest_size=16).digest()
