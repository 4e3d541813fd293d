"""What came attached to an e-mail: documents of their own that go where it goes."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.blobs import get
from kit.office import Office, text_document
from muniment.documents.attaching import candidates
from muniment.documents.contract import (
    ById,
    Document,
    DocumentMissing,
    ListRuns,
    NewDocument,
    OfVersion,
    Options,
    SetAccess,
    UploadedDocument,
)
from muniment.documents.keys import MOST_CHARACTERS, key_of
from muniment.embedding.contract import PassageTooLong
from muniment.kernel.blobs import Blobs, Staged
from muniment.vectors.contract import EngineDown

LEASES = "# Leases\n\nThe vault renews each lease every ten seconds.\n"
TRUCKS = "# Trucks\n\nThe probe warns the driver when the load is too warm.\n"
Files = Mapping[str, bytes | str] | list[tuple[str, bytes | str]]


def message(files: Files, *, subject: str = "The vault", body: str = "See what is attached.\n") -> bytes:
    """An e-mail with these files."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@example.org>", "ben@example.org", subject
    mail.set_content(body)
    for name, data in files.items() if isinstance(files, Mapping) else files:
        raw = data.encode() if isinstance(data, str) else data
        mail.add_attachment(raw, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


async def send(
    office: Office, who: str, data: bytes, *, key: str = "m.eml", **options: object
) -> UploadedDocument:
    """Upload an e-mail and see it through; its attachments may still be at work."""
    document = NewDocument(
        content=await office.staged(data), name="m.eml", options=Options.model_validate({"key": key, **options})
    )
    uploaded = await office.upload(who, document)
    if uploaded.run is not None:
        run = await office.over(who, uploaded.run)
        assert run.state == "succeeded", run.problem
    return uploaded.documents[0]


async def quiet(office: Office, who: str = "ada") -> None:
    """Until no run is open."""
    async with asyncio.timeout(20):
        while True:
            with office.asking(who) as room:
                runs = (await room.list_runs(ListRuns(limit=100))).items
            if all(run.ended_at is not None for run in runs):
                return
            await asyncio.sleep(0.01)


async def shown(office: Office, who: str = "ada", **asked: Any) -> dict[str, Document]:
    return {d.key: d for d in (await office.listed(who, **asked)).items}


async def test_attachments_are_documents_that_point_to_their_message(office: Office) -> None:
    data = message([("leases.md", LEASES), ("trucks.md", TRUCKS), ("leases.md", TRUCKS + "again\n")])
    sent = await send(office, "ada", data, access_level="confidential", grants=("user:eve",))
    await quiet(office)
    found = await shown(office)
    assert list(found) == ["m.eml", "m.eml/leases-2.md", "m.eml/leases.md", "m.eml/trucks.md"]
    mail = found.pop("m.eml")
    assert (mail.type, mail.attached_to) == ("Email", None)
    assert mail.metadata["attachments"] == ["leases.md", "trucks.md", "leases.md"]
    for attachment in found.values():
        assert attachment.attached_to == sent.id
        assert attachment.metadata["attached_to_key"] == "m.eml"
        assert (attachment.owner, attachment.access_level) == (mail.owner, "confidential")
        assert attachment.grants == mail.grants == ("user:eve",)
        assert [v.state for v in attachment.versions] == ["current"]
        assert attachment == await office.get("ada", attachment.id)
    assert set(await shown(office, attached_to=sent.id)) == set(found)
    passages = {p.document.key: p.chunk.text for p in await office.passages("eve")}
    assert "vault renews" in passages["m.eml/leases.md"]
    assert len(passages) == 4
    with office.asking("ada") as room:
        content = await room.content(OfVersion(id=found["m.eml/trucks.md"].id))
    assert await get(office.blobs, content.blob) == TRUCKS.encode()
    assert (content.name, content.media_type) == ("trucks.md", "text/markdown")


async def test_a_new_version_of_the_message_brings_changes_and_takes_away(office: Office) -> None:
    files = {"same.md": LEASES, "changed.md": TRUCKS, "gone.md": "# Gone\n\nIt goes.\n"}
    await send(office, "ada", message(files))
    await quiet(office)
    before = await shown(office)
    embedded = len(office.embedding.texts)
    await send(office, "ada", message({"same.md": LEASES, "changed.md": TRUCKS + "\nNow.\n", "new.md": "# New\n"}))
    await quiet(office)
    after = await shown(office)
    assert list(after) == ["m.eml", "m.eml/changed.md", "m.eml/new.md", "m.eml/same.md"]
    assert after["m.eml/same.md"] == before["m.eml/same.md"]
    assert after["m.eml/changed.md"].id == before["m.eml/changed.md"].id
    assert after["m.eml/changed.md"].version == 2
    assert not [text for text in office.embedding.texts[embedded:] if "lease every ten" in text]
    assert "m.eml/gone.md" not in {p.document.key for p in await office.passages("ada")}
    await office.settled(
        lambda: not any(p["document"] == before["m.eml/gone.md"].id for p in office.vectors.payloads())
    )
    again = await send(office, "ada", message({}))
    await quiet(office)
    assert list(await shown(office)) == ["m.eml"]
    assert again.id == after["m.eml"].id


async def test_a_key_that_others_have_is_left_alone(sqlite_office: Office) -> None:
    office = sqlite_office
    put = await office.put("ben", "m.eml/leases.md", TRUCKS)
    await send(office, "ada", message({"leases.md": LEASES}))
    await quiet(office)
    found = await shown(office)
    assert list(found) == ["m.eml", "m.eml/leases-2.md", "m.eml/leases.md"]
    assert found["m.eml/leases.md"].id == put.id
    assert found["m.eml/leases.md"].attached_to is None
    with office.asking("ben") as room:
        await room.delete(ById(id=put.id or ""))
    await send(office, "ada", message({"leases.md": LEASES}, body="Once more.\n"))
    assert (await shown(office))["m.eml/leases-2.md"] == found["m.eml/leases-2.md"]


async def test_who_may_read_the_message_may_read_what_came_with_it(office: Office) -> None:
    sent = await send(office, "ada", message({"leases.md": LEASES}), access_level="confidential")
    await quiet(office)
    (attachment,) = (await shown(office, attached_to=sent.id)).values()

    async def readers() -> list[str]:
        found = []
        for who in ("ada", "ben", "eve"):
            keys = {passage.document.key for passage in await office.passages(who)}
            assert keys in (set(), {"m.eml", "m.eml/leases.md"})
            with office.asking(who) as room:
                if keys:
                    found.append(who)
                    assert (await room.get(ById(id=attachment.id))).attached_to == sent.id
                else:
                    with pytest.raises(DocumentMissing):
                        await room.get(ById(id=attachment.id))
        return found

    assert await readers() == ["ada"]
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=sent.id or "", access_level="internal", grants=("user:eve",)))
    assert await readers() == ["ada", "ben", "eve"]
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=sent.id or "", grants=()))
    assert await readers() == ["ada", "ben"]
    await send(office, "ada", message({"leases.md": LEASES}), access_level="restricted")
    assert await readers() == ["ada"]
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=attachment.id, access_level="internal"))
        assert (await room.get_access(ById(id=sent.id or ""))).access_level == "restricted"
    assert {passage.document.key for passage in await office.passages("ben")} == {"m.eml/leases.md"}


async def test_a_revocation_holds_for_attachments_while_the_index_is_down(sqlite_office: Office) -> None:
    sent = await send(sqlite_office, "ada", message({"leases.md": LEASES}), grants=("user:eve",))
    await quiet(sqlite_office)
    chunks = sqlite_office.all_chunks()
    assert len(await sqlite_office.hydrated("eve", chunks)) == 2
    sqlite_office.vectors.fails["set_payload"] = EngineDown("down")
    with sqlite_office.asking("ada") as room:
        await room.set_access(SetAccess(id=sent.id or "", grants=()))
    assert not await sqlite_office.hydrated("eve", chunks)


async def test_deleting_the_message_deletes_what_came_with_it(office: Office) -> None:
    inner = message({"deep.md": LEASES}, subject="Inner")
    sent = await send(office, "ada", message({"leases.md": TRUCKS, "inner.eml": inner}))
    await quiet(office)
    found = await shown(office)
    assert list(found) == ["m.eml", "m.eml/inner.eml", "m.eml/inner.eml/deep.md", "m.eml/leases.md"]
    assert found["m.eml/inner.eml/deep.md"].attached_to == found["m.eml/inner.eml"].id
    blobs = []
    for document in found.values():
        with office.asking("ada") as room:
            blobs.append((await room.content(OfVersion(id=document.id))).blob)
    with office.asking("ada") as room:
        await room.delete(ById(id=sent.id or ""))
    assert not await shown(office)
    assert not office.vectors.payloads()
    assert not [blob for blob in blobs if await office.blobs.exists(blob)]
    await office.settled(lambda: sum(event.type == "document.deleted" for event in office.events) == 4)


async def test_an_attachment_that_cannot_be_read_fails_by_itself(sqlite_office: Office) -> None:
    files: Files = {
        "broken.pdf": b"%PDF-1.7 cut",
        "locked.zip": b"PK\x03\x04 cut",
        "leases.md": LEASES,
        "none.txt": b"",
    }
    sent = await send(sqlite_office, "ada", message(files))
    await quiet(sqlite_office)
    found = await shown(sqlite_office, attached_to=sent.id)
    states = {key.removeprefix("m.eml/"): document.versions[0].state for key, document in found.items()}
    assert states == {"broken.pdf": "failed", "leases.md": "current", "locked.zip": "failed", "none.txt": "failed"}
    problem = found["m.eml/none.txt"].versions[0].problem
    assert problem is not None
    assert str(problem["type"]).endswith("file-empty")
    assert (await sqlite_office.get("ada", sent.id)).version == 1


async def test_messages_within_messages_end_where_the_limit_is(
    tmp_path: Path, sqlite_url: str, tokenizer_file: Path
) -> None:
    office = Office.staffed(tmp_path, sqlite_url, tokenizer_file)
    data = message({"leases.md": LEASES}, subject="At the bottom")
    for _ in range(4):
        data = message({"i.eml": data})
    async with office.opened(parser_nesting=2):
        await send(office, "ada", data)
        await quiet(office)
        found = await shown(office)
        assert list(found) == ["m.eml", "m.eml/i.eml", "m.eml/i.eml/i.eml", "m.eml/i.eml/i.eml/i.eml"]
        (version,) = found["m.eml/i.eml/i.eml/i.eml"].versions
        assert version.state == "failed"
        assert version.problem is not None
        assert version.problem["limit"] == "nesting"


class CutOff(Blobs):
    """A store at whose so-manieth call everything stands still, as it does for a process that is killed."""

    left = -1
    is_still = False

    async def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.is_still = True
            await asyncio.Event().wait()

    async def stage(self, chunks: AsyncIterator[bytes], *, limit_bytes: int) -> Staged:
        await self._step()
        return await super().stage(chunks, limit_bytes=limit_bytes)

    async def adopt(self, staged_key: str, key: str) -> None:
        await self._step()
        await super().adopt(staged_key, key)
        await self._step()

    async def exists(self, key: str) -> bool:
        await self._step()
        return await super().exists(key)

    async def delete(self, key: str) -> None:
        await self._step()
        await super().delete(key)


async def test_what_is_cut_off_anywhere_loses_none_and_doubles_none(
    tmp_path: Path, sqlite_url: str, tokenizer_file: Path
) -> None:
    """Wherever a first and a second version of the message are cut off, one by one."""
    office = Office.staffed(tmp_path, sqlite_url, tokenizer_file)
    blobs = CutOff.open((tmp_path / "blobs").as_uri())
    office.blobs = blobs
    versions = [
        {"a.md": LEASES, "b.md": TRUCKS},
        {"a.md": LEASES, "b.md": TRUCKS + "Now.\n", "c.md": "# C\n\nC.\n"},
    ]
    cuts = 0
    for number, files in enumerate(versions, 1):
        async with office.opened():
            document = NewDocument(
                content=await office.staged(message(files, body=f"Number {number}.\n")),
                options=Options(key="m.eml"),
            )
            await office.upload("ada", document)
        for step in range(1, 40):
            async with office.opened():
                blobs.left, blobs.is_still = step, False
                await first_of(quiet(office), office.settled(lambda: blobs.is_still))
                blobs.left = -1
            if not blobs.is_still:
                break
            cuts += 1
        async with office.opened():
            await quiet(office)
            found = await shown(office)
            assert list(found) == ["m.eml", *(f"m.eml/{name}" for name in files)]
            assert {d.key: d.version for d in found.values()} == {
                "m.eml": number, "m.eml/b.md": number, **dict.fromkeys(found.keys() - {"m.eml", "m.eml/b.md"}, 1),
            }  # fmt: skip
            assert all(v.state in {"current", "retired"} for d in found.values() for v in d.versions)
            await indexed(office, sum(len(d.versions) for d in found.values()))
            contents = {}
            for document_ in found.values():
                for version in document_.versions:
                    with office.asking("ada") as room:
                        content = await room.content(OfVersion(id=document_.id, version=version.number))
                    contents[content.blob] = await get(blobs, content.blob)
            assert set(contents) == set(await blobs.keys("documents"))
            assert {TRUCKS.encode(), LEASES.encode()} <= set(contents.values())
    assert cuts >= 10  # a few more where more is done at once


async def indexed(office: Office, points: int) -> None:
    """Until the index holds so many; what was replaced moves there in its own time."""
    await office.settled(lambda: len(office.all_chunks()) == points)


async def first_of(*waits: Coroutine[Any, Any, None]) -> None:
    """Until one of them is done."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


async def test_a_version_that_never_becomes_current_changes_no_attachment(sqlite_office: Office) -> None:
    sent = await send(sqlite_office, "ada", message({"leases.md": LEASES}))
    await quiet(sqlite_office)
    before = await shown(sqlite_office, attached_to=sent.id)
    sqlite_office.embedding.fails = PassageTooLong("too long")
    uploaded = await sqlite_office.upload(
        "ada",
        NewDocument(
            content=await sqlite_office.staged(message({"other.md": TRUCKS}, body="Other words.\n")),
            options=Options(key="m.eml"),
        ),
    )
    assert (await sqlite_office.over("ada", uploaded.run)).state == "failed"
    assert await shown(sqlite_office, attached_to=sent.id) == before


async def test_the_message_does_not_wait_for_its_attachments(sqlite_office: Office) -> None:
    office = sqlite_office
    sent = await send(office, "ada", message({"a.md": LEASES, "b.md": TRUCKS}))
    await quiet(office)
    with office.asking("ada") as room:
        runs = (await room.list_runs(ListRuns())).items
    assert [run.kind for run in runs] == ["ingest"] * 3
    assert {run.document for run in runs} == {sent.id, *(d.id for d in (await shown(office)).values())}


async def test_an_attachment_may_be_changed_by_itself(sqlite_office: Office) -> None:
    office = sqlite_office
    await send(office, "ada", message({"a.md": LEASES}))
    await quiet(office)
    await office.put("ada", "m.eml/a.md", TRUCKS)
    changed = (await shown(office))["m.eml/a.md"]
    assert (changed.version, changed.attached_to is not None) == (2, True)
    with office.asking("ada") as room:
        await room.delete(ById(id=changed.id))
    assert list(await shown(office)) == ["m.eml"]


async def test_uploads_beside_the_message_take_no_key_twice(office: Office) -> None:
    files = {f"{n}.md": f"# Number {n}\n\nText.\n" for n in range(4)}
    mail = NewDocument(content=await office.staged(message(files)), options=Options(key="m.eml"))
    uploads = [office.upload("ada", mail)]
    uploads += [office.upload("ben", text_document(f"m.eml/{n}.md", LEASES)) for n in range(4)]
    await asyncio.gather(*uploads)
    await quiet(office)
    found = await shown(office)
    attached = [d for d in found.values() if d.attached_to is not None]
    assert len(found) == len(attached) + 1 + sum(
        d.owner == "user:ben" and d.attached_to is None for d in found.values()
    )
    assert len(attached) == 4


@given(st.text(min_size=1, max_size=1024), st.text(min_size=1, max_size=200))
def test_keys_of_attachments_are_within_bounds(message_key: str, name: str) -> None:
    keys = list(islice(candidates(message_key, name), 3))
    assert len(set(keys)) == 3
    assert all(len(key) <= MOST_CHARACTERS for key in keys)


def test_a_suffix_stands_before_the_ending() -> None:
    assert list(islice(candidates("m.eml", "a.tar.gz"), 2)) == ["m.eml/a.tar.gz", "m.eml/a.tar-2.gz"]
    hidden = list(islice(candidates("m.eml", ".profile"), 2))
    assert hidden == ["m.eml/.profile", "m.eml/.profile-2"]
    assert [key_of(key, None) for key in hidden] == hidden
