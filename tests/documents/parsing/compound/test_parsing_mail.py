"""E-mail, as it should be and as it is."""

import base64
from collections.abc import Sequence
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.parsing import parsed
from muniment.documents.contract import FileEmpty, FileEncrypted, ParserLimit
from muniment.documents.keys import key_of
from muniment.documents.parsing.compound.mime import (
    MOST_ADDRESSES,
    MOST_PARTS,
    addresses,
    as_text,
    header_text,
    instant,
)
from muniment.documents.parsing.model import Parsed

HEAD = b"From: Ada <ada@example.org>\nTo: ben@example.org\nSubject: The vault\nMIME-Version: 1.0\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


def read(data: bytes, **limits: int) -> Parsed:
    found = parsed(data, name="a.eml", **limits)
    for span in (*found.blocks, *found.sections):
        assert 0 <= span.start < span.end <= len(found.text)
    for block in found.blocks:
        assert found.text[block.start : block.end].strip()
    return found


def written(
    plain: str | None = "The lease is renewed.\n", page: str | None = None, **headers: str
) -> EmailMessage:
    mail = EmailMessage()
    for name, value in ({"From": "Ada <ada@example.org>", "Subject": "The vault"} | headers).items():
        mail[name.replace("_", "-")] = value
    if plain is not None:
        mail.set_content(plain)
    if page is not None:
        mail.add_alternative(page, subtype="html")
    return mail


def with_parts(kind: str, *parts: bytes) -> bytes:
    """A message of parts, each with its own headers."""
    body = b"".join(b"--=b\n" + part + b"\n" for part in parts)
    return HEAD + b"Content-Type: multipart/" + kind.encode() + b'; boundary="=b"\n\n' + body + b"--=b--\n"


def test_the_letterhead_stands_before_the_text() -> None:
    mail = written(
        To="Ben <ben@example.org>, cy@example.org",
        Cc="Di <di@example.org>",
        Date="Tue, 01 Jul 2003 10:52:37 +0200",
        Message_ID="<1@example.org>",
        In_Reply_To="<0@example.org>",
        References="<00@example.org> <0@example.org>",
        List_Id="Vaults <vaults.example.org>",
        Reply_To="team@example.org",
    )
    found = read(mail.as_bytes())
    assert found.text == (
        "The vault\n\nFrom: Ada <ada@example.org>\nTo: Ben <ben@example.org>, cy@example.org\n"
        "Cc: Di <di@example.org>\nDate: Tue, 01 Jul 2003 10:52:37 +0200\n\nThe lease is renewed."
    )
    assert found.title == "The vault"
    assert found.fields == {
        "title": "The vault",
        "author": "Ada",
        "type": "Email",
        "created_at": "2003-07-01T08:52:37Z",
    }
    assert found.metadata == {
        "from": "ada@example.org",
        "to": ["ben@example.org", "cy@example.org"],
        "cc": ["di@example.org"],
        "reply_to": ["team@example.org"],
        "message_id": "<1@example.org>",
        "in_reply_to": "<0@example.org>",
        "references": ["<00@example.org>", "<0@example.org>"],
        "list_id": "Vaults <vaults.example.org>",
    }
    assert [section.path for section in found.sections] == [("The vault",)]
    assert found.media_type == "message/rfc822"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("=?utf-8?q?J=C3=BCrgen_K?=", "Jürgen K"),
        ("=?UTF-8?B?w4Q=?= =?utf-8?B?w5Y=?= und mehr", "ÄÖ und mehr"),
        ("=?utf-8?B?w4TD?=\r\n =?utf-8?B?lg==?=", "ÄÖ"),
        ("a =?iso-8859-1?q?=E9?= b", "a é b"),
        ("=?iso-8859-1*fr?q?=E9t=E9?=", "été"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?no-such-thing?q?=C3=BC?=", "ü"),
        ("=?utf-8?b?%%%?=", ""),
        ("=?utf-8?b?QQ?=", "A"),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("plain\r\n\tfolded", "plain folded"),
        ("in\x00vis\u202eible", "invis ible"),
        ("bytes \udcc3\udcbc", "bytes ü"),
    ],
)
def test_headers_are_decoded(raw: str, shown: str) -> None:
    assert header_text(raw) == shown


@given(st.text())
def test_every_header_has_a_reading(raw: str) -> None:
    assert "\n" not in header_text(raw)
    addresses(raw)
    instant(raw)


@given(st.text(st.characters(min_codepoint=32, exclude_categories=("C", "Z")), min_size=1, max_size=60))
def test_what_others_encode_is_read_back(said: str) -> None:
    assert header_text(Header(said, "utf-8", maxlinelen=40).encode()) == header_text(said) or "=?" in said
    assert header_text(Header(said, "utf-8").encode()) == said or "=?" in said or not said.isprintable()


@given(
    st.binary(max_size=400), st.sampled_from(["a/plain", "text/html", "multipart/mixed; boundary=x", "message/x"])
)
def test_no_bytes_are_too_strange(body: bytes, kind: str) -> None:
    for coding in (b"base64", b"quoted-printable", b"x-uuencode", b"8bit"):
        head = HEAD + b"Content-Type: " + kind.encode() + b"\nContent-Transfer-Encoding: " + coding + b"\n\n"
        assert read(head + body).text.startswith("The vault")
    assert read(b"Subject: a\n" + body).text.startswith("a")


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ('"Last, First" <a@b.c>, c@d.e', [("Last, First", "a@b.c"), ("", "c@d.e")]),
        ("Friends: f@g.h, Jo <i@j.k>;", [("", "f@g.h"), ("Jo", "i@j.k")]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?q?K=2C_=C3=84?= <a@b.c>", [("K, Ä", "a@b.c")]),
        ("(((((" * 2000, []),
        ('"' * 5001, []),
        ("<" * 5000, []),
    ],
)
def test_addresses(raw: str, found: Sequence[tuple[str, str]]) -> None:
    assert [tuple(address) for address in addresses(raw)] == found


def test_many_recipients_are_bounded() -> None:
    to = ", ".join(f"P{n} <p{n}@example.org>" for n in range(2000))
    found = read(f"From: a@b.c\nTo: {to}\nSubject: All\n\nHello all of you.\n".encode())
    assert len(found.metadata["to"]) == MOST_ADDRESSES  # type: ignore[arg-type]
    assert len(found.text) < 1200


@pytest.mark.parametrize("raw", ["soon", "", "Tue, 99 Foo 2003", "Mon, 1 Jan 99999 00:00:00 +0000", "0 " * 90])
def test_a_date_that_is_none_is_left_out(raw: str) -> None:
    assert instant(raw) is None


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("utf-8", "Grüße".encode("cp1252"), "Grüße"),
        ("us-ascii", "„Grüße“ – 5 €".encode("cp1252"), "„Grüße“ – 5 €"),
        ("iso-2022-jp", "温度".encode("iso-2022-jp"), "温度"),
        ("klingon-8", "Grüße".encode(), "Grüße"),
        ("rot13", b"abc", "abc"),
        ("idna", b"abc", "abc"),
        ("a\x00b", b"abc", "abc"),
        (None, "荷物".encode(), "荷物"),
    ],
)
def test_text_is_read_whatever_it_is_said_to_be_in(charset: str | None, data: bytes, text: str) -> None:
    assert as_text(data, charset) == text


@pytest.mark.parametrize("coding", ["7bit", "quoted-printable", "base64"])
def test_transfer_encodings(coding: str) -> None:
    mail = written(None)
    mail.set_content("The lease = renewed, " * 10 + "\n", cte=coding)
    assert read(mail.as_bytes()).text.endswith("The lease = renewed, " * 9 + "The lease = renewed,")


def test_the_plain_text_is_read_where_it_is_whole() -> None:
    page = "<h2>Lease</h2><p>The lease is <b>renewed</b>.</p>"
    assert read(written("The lease is renewed.\n", page).as_bytes()).text.endswith("\n\nThe lease is renewed.")
    long = "<h2>Lease</h2>" + "<p>The lease is renewed every ten seconds by the vault.</p>" * 3
    found = read(written("Your program shows no HTML.\n", long).as_bytes())
    assert "no HTML" not in found.text
    assert [section.path for section in found.sections] == [("The vault",), ("The vault", "Lease")]
    assert read(written(None, page).as_bytes()).text.endswith("Lease\n\nThe lease is renewed.")


def test_flowed_lines_are_whole_again() -> None:
    part = (
        b"Content-Type: text/plain; format=flowed\n\nOne line \ngoes on\n\n> quoted \n> too\n From here\n-- \nAda"
    )
    assert read(with_parts("mixed", part)).text.endswith("One line goes on\n\n> quoted too\nFrom here\n--\nAda")


def test_quoted_history_stays_and_forwarded_messages_are_attached() -> None:
    inner = written("Inner words.\n", Subject="Old: news/today")
    mail = written("> Did it renew?\nIt did.\n")
    mail.add_attachment(inner)
    found = read(mail.as_bytes(policy=SMTP))
    assert "> Did it renew?\nIt did." in found.text
    assert "Inner words" not in found.text
    (attachment,) = found.attachments
    assert (attachment.name, attachment.media_type) == ("Old_ news today.eml", "message/rfc822")
    assert read(attachment.data).text.endswith("Inner words.")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b'filename="../../etc/passwd"', "passwd"),
        (b'filename="C:\\\\temp\\\\a.pdf"', "a.pdf"),
        (b"filename*=utf-8''na%C3%AFve.txt", "naïve.txt"),
        (b"filename*=utf-8''a%2Fb.txt", "b.txt"),
        (b"filename*=no-such-charset''a%FFb.txt", "aÿb.txt"),
        (b"filename*0=one; filename*1=two.txt", "onetwo.txt"),
        (b'filename="=?utf-8?q?=C3=84?=.txt"', "Ä.txt"),
        (b'filename=".."', "attachment-1.pdf"),
        (b'filename="' + b"x" * 3000 + b'.pdf"', "x" * 196 + ".pdf"),
        (b'filename="a\tb\x01c.txt"', "a b c.txt"),
        (b"", "attachment-1.pdf"),
    ],
)
def test_names_of_attachments_lead_nowhere(said: bytes, name: str) -> None:
    part = b"Content-Type: application/pdf\nContent-Disposition: attachment; " + said + b"\n\n1,2"
    found = read(with_parts("mixed", part))
    assert [(file.name, file.data) for file in found.attachments] == [(name, b"1,2")]
    assert found.metadata["attachments"] == [name]


@given(st.text(max_size=300), st.text(max_size=40))
def test_every_attachment_has_a_name_that_fits_a_key(name: str, kind: str) -> None:
    said = (
        f"Content-Type: application/{kind}\nContent-Disposition: attachment; filename*=utf-8''{quote(name)}\n\n1,2"
    )
    for file in read(with_parts("mixed", said.encode("utf-8", "replace"))).attachments:
        assert key_of(f"m.eml/{file.name}", None) == f"m.eml/{file.name}"
        assert "/" not in file.name
        assert file.media_type.isascii()
        assert file.media_type.isprintable()


def test_small_pictures_within_the_text_are_dropped_and_large_ones_kept() -> None:
    def picture(data: bytes, head: bytes) -> bytes:
        return (
            b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n"
            + head
            + b"\n\n"
            + base64.encodebytes(data)
        )

    page = b'Content-Type: text/html\n\n<p>See <img src="cid:a">.</p>'
    found = read(
        with_parts(
            "related",
            page,
            picture(PNG, b"Content-ID: <a>"),
            picture(PNG + b"x" * 20_000, b"Content-ID: <b>\nContent-Disposition: inline; filename=plan.png"),
            picture(PNG, b"Content-Disposition: attachment; filename=small.png"),
        )
    )
    assert [attachment.name for attachment in found.attachments] == ["plan.png", "small.png"]


@pytest.mark.parametrize(
    "data",
    [
        with_parts(
            "encrypted", b"Content-Type: application/pgp-encrypted\n\nVersion: 1", b"Content-Type: a/b\n\nx"
        ),
        HEAD + b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIAG",
        HEAD + b"\n-----BEGIN PGP MESSAGE-----\n\nhQ\n-----END PGP MESSAGE-----\n",
    ],
)
def test_what_is_encrypted_says_so(data: bytes) -> None:
    with pytest.raises(FileEncrypted, match="decrypted"):
        read(data)


def test_what_is_signed_is_read() -> None:
    signature = b"Content-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n"
    found = read(with_parts("signed", b"Content-Type: text/plain\n\nThe lease is renewed.", signature))
    assert found.text.endswith("The lease is renewed.")
    assert not found.attachments
    inline = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nIt is.\n-----BEGIN PGP SIGNATURE-----\n\nabc=\n"
    assert read(HEAD + b"\n" + inline + b"-----END PGP SIGNATURE-----\n").text.endswith("\n\nIt is.")


def test_a_report_is_read_whole() -> None:
    status = b"Content-Type: message/delivery-status\n\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 unknown\n"
    returned = b"Content-Type: message/rfc822\n\nSubject: x\n\nhello"
    found = read(with_parts("report", b"Content-Type: text/plain\n\nIt came back.", status, returned))
    assert "It came back." in found.text
    assert "550 unknown" in found.text
    assert [attachment.name for attachment in found.attachments] == ["x.eml"]


def test_limits_on_attachments_are_said() -> None:
    parts = [f"Content-Type: application/x; name={n}.bin\n\n0123456789".encode() for n in range(5)]
    few = read(with_parts("mixed", *parts), attachments=2)
    assert [attachment.name for attachment in few.attachments] == ["0.bin", "1.bin"]
    assert few.metadata["attachments_left_out"] == ["2.bin", "3.bin", "4.bin"]
    small = read(with_parts("mixed", *parts), unpacked_bytes=39)
    assert len(small.attachments) == 3
    assert small.metadata["attachments"] == ["0.bin", "1.bin", "2.bin"]


def test_ten_thousand_parts_are_read() -> None:
    found = read(with_parts("mixed", *[b"Content-Type: application/x\n\nx"] * 10_000))
    assert len(found.attachments) == 100
    assert len(found.metadata["attachments_left_out"]) == 100  # type: ignore[arg-type]
    with pytest.raises(ParserLimit) as over:
        read(with_parts("mixed", *[b"Content-Type: application/x\n\nx"] * MOST_PARTS))
    assert over.value.extra["limit"] == "parts"


@pytest.mark.parametrize("depth", [500, 3000])
def test_parts_within_parts_without_end_are_refused(depth: int) -> None:
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(depth))
    with pytest.raises(ParserLimit) as over:
        read(HEAD + nested + b"Content-Type: text/plain\n\nat last")
    assert over.value.extra["limit"] == "nesting"


@pytest.mark.parametrize(
    "line",
    [
        b"X-Long: " + b"a" * 1_000_000,
        b"Subject: " + b"=?utf-8?q?" * 100_000,
        b"To: " + b'"' * 1_000_000,
        b"Content-Type: multipart/mixed" + b";" * 1_000_000,
        b"Content-Type: text/plain" + b'; a="b' * 200_000,
        b"Date: " + b"1 " * 500_000,
        b"References: " + b"<a@b> " * 200_000,
        b"X: " + b"y\n " * 300_000,
    ],
)
def test_lines_of_a_megabyte_are_no_hindrance(line: bytes) -> None:
    found = read(b"From: a@b.c\n" + line + b"\n\nThe lease is renewed.\n")
    assert found.text.endswith("The lease is renewed.")
    assert len(found.text) < 70_000
    assert len(str(found.metadata)) < 70_000


def test_a_message_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    whole = written("The lease is renewed.\n")
    whole.add_attachment(b"x" * 3000, maintype="application", subtype="pdf", filename="a.pdf")
    data = whole.as_bytes()
    texts = [read(data[:end]).text for end in range(97, len(data), 97)]
    assert "The lease is renewed." not in texts[0]
    assert all("The lease is renewed." in text for text in texts[len(texts) // 2 :])


def test_nothing_in_it_is_said() -> None:
    with pytest.raises(FileEmpty):
        read(b"Received: from a\n\n\n")


def test_mail_from_the_wild(evaldata: Path) -> None:
    path = evaldata / "parsing_hostile" / "files" / "unstructured__email-no-utf8-2014-03-17.111517.eml"
    if not path.is_file():
        pytest.skip("the evaluation data parsing_hostile is not here")
    found = read(path.read_bytes())
    assert found.fields["created_at"] == "2014-03-17T11:15:04Z"
    assert "was recently changed" in found.text


def test_a_message_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(ParserLimit, match="larger than 1 MB") as caught:
        parsed(b"From: a@b.c\n\n" + b"x" * 1_100_000, name="a.eml", file_bytes=1_000_000)
    assert caught.value.extra["limit"] == "size"
