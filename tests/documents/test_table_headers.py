"""Tables' headers on their way from the file into the index, and back out of the tables of the room."""

from kit.office import Office
from muniment.documents.contract import UpdateDocument

ROWS = "".join(f"the probe {number};truck {number};{number}\n" for number in range(80))


async def test_each_chunk_of_a_table_is_indexed_under_its_header(office: Office) -> None:
    put = await office.put("ada", "loads.csv", f"probe;truck;degrees\n{ROWS}", media_type="text/csv")
    said = indexed(office)
    assert len(said) > 3
    assert all(text.split("\n")[1] == "probe | truck | degrees" for text in said)
    assert all("probe | truck" not in passage.chunk.text for passage in (await office.passages("ada"))[1:])

    with office.asking("ada") as room:
        await room.update(UpdateDocument(id=put.id or "", title="Loads of May"))
    await office.settled(lambda: all(text.startswith("Loads of May\n") for text in indexed(office)))
    assert [text.split("\n")[1:] for text in indexed(office)] == [text.split("\n")[1:] for text in said]


def indexed(office: Office) -> list[str]:
    """What is embedded of each chunk, in order."""
    points = [point for points in office.vectors.points.values() for point, _ in points.values()]
    return [point.text for point in sorted(points, key=lambda point: int(str(point.payload["chunk"])))]
