"""Another chunking for a collection that is asked all the while: no search finds nothing, or anything twice."""

import threading
from collections import Counter

from journeys.test_straight_path import add, unique, wait
from muniment.sdk import Muniment

DOCUMENTS = 5


def text(number: int) -> str:
    lines = " ".join(f"The vault of house {number} renews lease {n} in time." for n in range(40))
    return f"# House {number}\n\n{lines}\n"


class Asking:
    """Searches one after another on a thread of its own, and what was odd about any.

    In between it leaves the house some time for the work that is watched.
    """

    def __init__(self, muniment: Muniment, body: dict) -> None:
        self._muniment, self._body = muniment, body
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.asked, self.odd = 0, []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            hits = self._muniment.post("/api/v1/search", self._body)["hits"]
            found = {hit["document"]["key"] for hit in hits}
            spans = Counter((hit["document"]["key"], hit["chunk"]["span"]["start"]) for hit in hits)
            if len(found) != DOCUMENTS or max(spans.values()) > 1:
                self.odd.append((len(found), spans.most_common(1)))
            self.asked += 1


def test_searches_go_on_while_a_collection_is_chunked_anew(house):
    with house.admin() as admin:
        name = unique("vaults")
        admin.post("/api/v1/collections", {"name": name})
        for n in range(DOCUMENTS):
            add(admin, name, f"{n}.md", text(n), media_type="text/markdown")
        at = f"/api/v1/collections/{name}/index"
        first = admin.get(at)["index"]["name"]
        body = {"query": "Which vault renews a lease?", "collections": [name], "limit": 200}
        with Asking(admin, body) as asking, Asking(admin, {**body, "query": "a vault"}):
            run = admin.post(at, {"recipe": "structure-200"})
            assert wait(admin, run["id"])["state"] == "succeeded"
            count = len(admin.post("/api/v1/search", body)["hits"])
            compared = admin.post("/api/v1/search", {**body, "standby": True})["hits"]
            assert 0 < len(compared) < count
            for _ in range(3):
                assert admin.post(f"{at}/switch")["state"] == "ready"
                add(admin, name, "0.md", text(0) + f"\nSaid anew {_}.\n", media_type="text/markdown")
            told = admin.delete(f"{at}/standby")
            assert (told["state"], told["index"]["recipe"]) == ("none", "structure-200")
            assert first != told["index"]["name"]
            reached = asking.asked
            assert len(admin.post("/api/v1/search", body)["hits"]) < count
        assert asking.odd == []
        assert reached > 5
