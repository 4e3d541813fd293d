"""A document's passages are taken apart in its own language: told by its text, said with it, or changed later."""

from kit.office import Office
from muniment.documents.contract import UpdateDocument

GERMAN = (
    "Der Mieter zahlt die Miete am ersten Tag des Monats. Wird die Wohnung gekündigt, so ist sie bis zum Ende des "
    "Monats zu räumen, und alle Schlüssel sind dem Vermieter zurückzugeben."
)
ENGLISH = (
    "The tenant pays the rent on the first day of the month. When the flat is given up it has to be left by the "
    "end of the month, and all keys are to be given back to the landlord."
)


def languages(office: Office, document: str | None) -> set[str | None]:
    points = [point for index in office.vectors.points.values() for point, _ in index.values()]
    return {point.language for point in points if point.payload["document"] == document}


async def test_each_document_is_indexed_in_its_own_language(sqlite_office: Office) -> None:
    office = sqlite_office
    german = await office.put("ada", "de.md", GERMAN)
    english = await office.put("ada", "en.md", ENGLISH)
    said = await office.put("ada", "said.md", "Miete", language="de")
    assert languages(office, german.id) == {"de"}
    assert languages(office, english.id) == {"en"}
    assert languages(office, said.id) == {"de"}


async def test_a_collection_s_language_is_that_of_documents_that_tell_none(sqlite_office: Office) -> None:
    office = sqlite_office
    ref = office.shelves.refs["handbook"]
    office.shelves.refs["handbook"] = ref.model_copy(update={"language": "fr"})
    short = await office.put("ada", "short.md", "Loyer")
    german = await office.put("ada", "de.md", GERMAN)
    assert languages(office, short.id) == {"fr"}
    assert languages(office, german.id) == {"de"}


async def test_another_language_indexes_the_document_anew(sqlite_office: Office) -> None:
    office = sqlite_office
    put = await office.put("ada", "short.md", "Miete")
    embedded = len(office.embedding.texts)
    with office.asking("ada") as room:
        await room.update(UpdateDocument(id=put.id or "", language="de"))
    await office.settled(lambda: languages(office, put.id) == {"de"})
    assert len(office.embedding.texts) == embedded
