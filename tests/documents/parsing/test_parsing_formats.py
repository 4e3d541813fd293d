from contextlib import suppress
from io import BytesIO
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.parsing import parsed
from muniment.documents.contract import (
    FileBroken,
    FileEmpty,
    FileEncrypted,
    FormatUnknown,
    NotText,
    ParserLimit,
)
from muniment.documents.parsing.decoding import decode
from muniment.documents.parsing.model import Parsed

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\x00")


def archive(member: str, content: str = "") -> bytes:
    data = BytesIO()
    with ZipFile(data, "w") as file:
        file.writestr(member, content)
    return data.getvalue()


def read(data: bytes | str, name: str | None = None, media_type: str | None = None, most: int = 10**7) -> Parsed:
    raw = data.encode() if isinstance(data, str) else data
    return parsed(raw, name=name, media_type=media_type, text_characters=most)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve ✓".encode(), "naïve ✓"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("Übermaß".encode("utf-16"), "Übermaß"),
        (b"\xfe\xff" + "Übermaß".encode("utf-16-be"), "Übermaß"),
        (b"\x00\x00\xfe\xff" + "Übermaß 🚚".encode("utf-32-be"), "Übermaß 🚚"),
        ("Der Kühlwagen fährt über die Brücke.".encode("cp1252"), "Der Kühlwagen fährt über die Brücke."),
        ("Größe ".encode() * 200 + b"\xc3", "Größe " * 200 + "\ufffd"),
        (b"one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
    ],
)
def test_text_is_decoded_by_mark_then_utf8_then_plausibility(data: bytes, text: str) -> None:
    assert read(data, "a.txt").text == text


@pytest.mark.parametrize(
    "data",
    [
        b"a\x00b",
        b"\xff\xfeabc",
        "Холодный груз".encode("koi8-r"),
        bytes(range(128, 256)) * 4,
        b"\x07\x08\x90\xff binary",
        "zero\x00".encode("utf-16"),
    ],
)
def test_what_is_no_text_says_so(data: bytes) -> None:
    with pytest.raises(NotText, match="UTF-8"):
        read(data, "a.txt")


@pytest.mark.parametrize(
    "data", [b"", b" \n\t ", b"---\ntitle: x\n---\n  \n", b"<html><body><p> </p></body></html>"]
)
def test_a_file_without_text_is_empty(data: bytes) -> None:
    with pytest.raises(FileEmpty):
        read(data, "a.md" if data.startswith(b"---") else None)


@pytest.mark.parametrize(
    ("data", "name", "cure"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "a.txt", "save it as .docx"),
        (OLE + "WordDocument".encode("utf-16-le"), "a.doc", "as .docx$"),
        (OLE + "Workbook".encode("utf-16-le"), "a.xls", "as .xlsx$"),
        (OLE + "PowerPoint Document".encode("utf-16-le"), "a.ppt", "as .pptx$"),
        (OLE + "__substg1.0_0037".encode("utf-16-le"), "a.msg", "as .eml$"),
        (archive("xl/workbook.bin"), "a.xlsb", "as .xlsx$"),
        (archive("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), "a.ods", "as .xlsx, or"),
        (b"\x7fELF", "a.pdf", "a program"),
        (b"{\\rtf1 hello}", "a.txt", "save it as .docx"),
        (b"Rar!\x1a\x07", None, "unpack it"),
        (b"<svg xmlns='x'/>", "a.svg", "a picture or a PDF"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "a.xml", "a picture or a PDF"),
        (b"\x1f\x8b\x08\x00x", None, "unpack it"),
        (b"\x00\x00\x00\x18ftypheic", "a.jpg", "JPEG or PNG"),
        (b"ID3\x04\x00\x00", "a.mp3", "what is said"),
    ],
)
def test_what_is_not_read_is_refused_with_its_cure(data: bytes, name: str | None, cure: str) -> None:
    with pytest.raises(FormatUnknown, match=cure):
        read(data, name)


@pytest.mark.parametrize(
    "stream",
    [
        b"\xec\xa5" + bytes(9) + b"\x13",
        b"\x09\x08\x02\x00xx\x2f\x00\x06\x00",
        "EncryptedSummary".encode("utf-16-le"),
    ],
)
def test_old_office_documents_with_a_password(stream: bytes) -> None:
    with pytest.raises(FileEncrypted, match="unprotected copy"):
        read(OLE + stream, "a.doc")


def test_an_archive_that_is_cut_short_is_broken() -> None:
    with pytest.raises(FileBroken, match="damaged"):
        read(b"PK\x03\x04rest", "a.docx")


@pytest.mark.parametrize(
    ("data", "name", "media_type", "found"),
    [
        ("# A\n\ntext", "a.md", None, "text/markdown"),
        ("# A\n\ntext", None, "text/markdown; charset=utf-8", "text/markdown"),
        ("# A\n\ntext", None, None, "text/markdown"),
        ("# A\n\ntext", "a.txt", None, "text/plain"),
        ("<!DOCTYPE html><p>x", "a.md", None, "text/html"),
        ("<p>x</p>", "a.htm", None, "text/html"),
        ("<p>x</p>", None, "text/html", "text/html"),
        ("a < b", None, None, "text/plain"),
    ],
)
def test_the_type_is_told_by_content_then_by_name(
    data: str, name: str | None, media_type: str | None, found: str
) -> None:
    assert read(data, name, media_type).media_type == found


def test_a_name_that_lies_about_a_pdf() -> None:
    with pytest.raises(FileBroken):
        read("just text", "a.pdf")


def test_more_text_than_is_taken() -> None:
    for name in ("a.txt", "a.md", "a.html"):
        with pytest.raises(ParserLimit) as caught:
            read("word " * 100, name, most=100)
        assert caught.value.extra["limit"] == "text"


def test_an_encrypted_pdf(pdf) -> None:
    crypt = "<< /Filter /Standard /V 1 /R 2 /P -1 /O <{0}> /U <{0}> >>".format("41" * 32)
    data = pdf(
        [[(12, 50, 700, "secret")]], trailer=f"/Encrypt 8 0 R /ID [<{'00' * 16}> <{'00' * 16}>]", more=[crypt]
    )
    with pytest.raises(FileEncrypted, match="unprotected copy"):
        read(data)


def test_a_broken_pdf_and_one_without_text(pdf) -> None:
    with pytest.raises(FileBroken):
        read(b"%PDF-1.7 and then nothing")
    with pytest.raises(FileEmpty, match="no text"):
        read(pdf([[]]))


PROSE = {
    "ru": "Холодный груз прибыл в порт вчера вечером. Водитель проверил температуру и подписал документы.",
    "ja": "冷蔵貨物は昨日の夕方に港に到着しました。運転手は温度を確認し、書類に署名してから帰宅しました。",
    "zh": "冷藏货物昨天傍晚抵达港口。司机检查了温度并签署了文件，然后回家了。",
    "tw": "冷藏貨物昨天傍晚抵達港口。司機檢查了溫度並簽署了文件，然後回家了。",
    "ko": "냉장 화물은 어제 저녁에 항구에 도착했습니다. 운전자는 온도를 확인하고 집으로 갔습니다.",
    "el": "Το ψυγμένο φορτίο έφτασε στο λιμάνι χθες το βράδυ. Ο οδηγός έλεγξε τη θερμοκρασία.",
    "he": "המטען הקר הגיע לנמל אתמול בערב. הנהג בדק את הטמפרטורה וחתם על המסמכים ואז חזר הביתה.",
    "ar": "وصلت الشحنة المبردة إلى الميناء مساء أمس. فحص السائق درجة الحرارة ووقع على الوثائق.",
    "pl": "Zimny ładunek dotarł do portu wczoraj. Kierowca sprawdził temperaturę i podpisał. Żółć gęślą jaźń.",
    "cs": "Studený náklad dorazil do přístavu včera večer. Řidič zkontroloval teplotu a odešel domů.",
    "tr": "Soğuk yük dün akşam limana ulaştı. Sürücü sıcaklığı kontrol etti, belgeleri imzaladı.",
    "fr": "Le cargo réfrigéré est arrivé au port. Le conducteur a vérifié, déjà prêt, la température.",
    "code": "def f(x):\n    # Холодный груз прибыл в порт вчера\n    return x\n# Водитель проверил температуру\n"
    * 2,
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("ru", "cp1251"), ("ru", "koi8_r"), ("ru", "cp866"), ("ru", "iso8859_5"), ("ru", "utf-16-le"),
        ("ru", "utf-16-be"), ("ja", "cp932"), ("ja", "euc_jp"), ("ja", "iso2022_jp"), ("ja", "utf-16-le"),
        ("zh", "gb18030"), ("tw", "big5"), ("ko", "cp949"), ("ko", "utf-16-be"), ("el", "cp1253"),
        ("he", "cp1255"), ("ar", "cp1256"), ("pl", "cp1250"), ("pl", "iso8859_2"), ("cs", "cp1250"),
        ("tr", "cp1254"), ("fr", "cp1252"), ("code", "cp1251"),
    ],
)  # fmt: skip
def test_the_encoding_of_prose_is_told(language: str, encoding: str) -> None:
    assert read(PROSE[language].encode(encoding), "a.txt").text == PROSE[language]


@given(st.text(min_size=1), st.sampled_from(["cp1251", "koi8_r", "gb18030", "utf-16-le", "cp1252", "latin-1"]))
def test_any_bytes_are_a_text_or_no_text(text: str, encoding: str) -> None:
    with suppress(NotText):
        assert "\x00" not in decode(text.encode(encoding, errors="ignore"), encoding)


@given(st.binary())
def test_decoding_raises_nothing_else(data: bytes) -> None:
    with suppress(NotText):
        assert decode(data, "no such encoding") == decode(data)


@pytest.mark.parametrize(
    ("data", "name", "found"),
    [
        (b"<!DOCTYPE html><p>x</p>", "a.py", "text/html"),
        (b"<!-- a --><html><p>x</p></html>", "a.csv", "text/html"),
        (b"just words\n", "a.foo", "text/plain"),
        (b"MIT License\n", "LICENSE", "text/plain"),
        (b"KEY=value\n", ".env", "text/plain"),
        (b"MZ is how programs begin", "a.txt", "text/plain"),
        (b"ID3 tags, explained", "a.txt", "text/plain"),
    ],
)
def test_names_and_content_that_disagree(data: bytes, name: str, found: str) -> None:
    assert read(data, name).media_type == found
