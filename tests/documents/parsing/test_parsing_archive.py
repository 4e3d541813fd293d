import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.documents.contract import FileBroken, FileEncrypted, ParserLimit
from muniment.documents.parsing.archive import MOST_MEMBERS, opened
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.office.safe_xml import MOST_DEPTH, elements, tree
from muniment.documents.parsing.source import Source


def container(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return held.getvalue()


def source(folder: Path, data: bytes, **limits: int) -> Source:
    path = folder / "file"
    path.write_bytes(data)
    return Source(path, name="a.docx", media_type=None, limits=ParserSettings().limits.model_copy(update=limits))


def test_members_are_found_whatever_their_case_and_slashes(tmp_path: Path) -> None:
    with opened(source(tmp_path, container({"Word\\Document.xml": b"<a/>"}))) as archive:
        assert archive.read("word/document.xml") == b"<a/>"
        assert "/WORD/document.xml" in archive
        with pytest.raises(FileBroken, match="missing"):
            archive.read("word/styles.xml")


def test_a_bomb_is_left_when_it_has_unpacked_to_the_bound(tmp_path: Path) -> None:
    bomb = container({"a": b"0" * 3_000_000, "b": b"0" * 3_000_000})
    with opened(source(tmp_path, bomb, unpacked_bytes=4_000_000)) as archive:
        assert len(archive.read("a")) == 3_000_000
        with pytest.raises(ParserLimit, match="more than 4 MB") as refused:
            archive.read("b")
    assert refused.value.document()["limit"] == "unpacked"


def test_what_the_headers_say_of_sizes_is_not_believed(tmp_path: Path) -> None:
    data = container({"a": b"0" * 3_000_000})
    lying = data.replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with (
        opened(source(tmp_path, lying, unpacked_bytes=1_000)) as archive,
        pytest.raises((ParserLimit, FileBroken)),
    ):
        archive.read("a")


def test_too_many_members(tmp_path: Path) -> None:
    data = container({str(number): b"" for number in range(MOST_MEMBERS + 1)})
    with pytest.raises(ParserLimit, match="members"), opened(source(tmp_path, data)):
        pass


def test_damage_and_passwords_are_told(tmp_path: Path) -> None:
    data = container({"a": b"hello hello hello " * 100})
    at = data.index(b"a") + 1
    with (
        opened(source(tmp_path, data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])) as archive,
        pytest.raises(FileBroken, match="damaged"),
    ):
        archive.read("a")
    directory = data.index(b"PK\x01\x02")
    locked = bytearray(data)
    locked[6] |= 1
    locked[directory + 8] |= 1
    with opened(source(tmp_path, bytes(locked))) as archive, pytest.raises(FileEncrypted):
        archive.read("a")
    with pytest.raises(FileBroken), opened(source(tmp_path, data[:-40])):
        pass


def test_names_get_the_prefixes_of_this_house() -> None:
    for space in (
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    ):
        root = tree([f'<z:p xmlns:z="{space}" z:val="1" x="2"><q/></z:p>'.encode()])
        assert (root.tag, root.attrib, root[0].tag) == ("w:p", {"w:val": "1", "x": "2"}, "q")


def test_elements_are_dropped_once_they_are_read() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"<all><rows>"
        for _ in range(2000):
            yield b"<row><c>1</c></row>" * 10
        yield b"</rows><end><x/></end></all>"

    assert [element.tag for element in elements(pieces(), 2)] == ["row"] * 20_000 + ["x"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_declared_entities_are_refused(encoding: str) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'
    with pytest.raises(FileBroken, match="entities"):
        tree([f'<?xml version="1.0" encoding="{encoding}"?>{bomb}'.encode(encoding)])


def test_a_doctype_that_only_names_a_grammar_is_passed_over() -> None:
    assert tree([b'<!DOCTYPE a PUBLIC "-//x" "http://127.0.0.1:9/x.dtd"><a>b</a>']).text == "b"


@pytest.mark.parametrize("broken", [b"", b"<a>", b"<a></b>", b"\x00\x01", b"<a>&c;</a>", b"<a/>x", b" " * 100_000])
def test_broken_markup_is_told(broken: bytes) -> None:
    with pytest.raises(FileBroken):
        tree([broken])


def test_depth_is_bounded() -> None:
    with pytest.raises(ParserLimit) as refused:
        tree([b"<a>" * (MOST_DEPTH + 1) + b"</a>" * (MOST_DEPTH + 1)])
    assert refused.value.document()["limit"] == "nesting"
