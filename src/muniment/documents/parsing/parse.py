"""From a file's bytes to its text and structure."""

from muniment.documents.contract import FileEmpty
from muniment.documents.parsing.formats import tell
from muniment.documents.parsing.html import declared_charset, parse_html
from muniment.documents.parsing.markdown import parse_markdown
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.pdf import parse_pdf
from muniment.documents.parsing.plain import parse_plain
from muniment.documents.parsing.structure import too_much_text
from muniment.documents.parsing.text import decode


def parse(data: bytes, *, name: str | None, media_type: str | None, most_characters: int) -> Parsed:
    """The file's text and structure.

    Raises FormatUnknown, NotText, FileBroken, FileEncrypted, FileEmpty, ParserLimit.
    """
    if not data.strip():
        raise FileEmpty("the file is empty")
    form = tell(data, name, media_type)
    if form == "pdf":
        return parse_pdf(data, most_characters)
    source = decode(data, declared_charset(data) if form == "html" else None)
    if len(source) > most_characters and form != "html":
        raise too_much_text(most_characters)
    if form == "html":
        parsed = parse_html(source, most_characters)
    elif form == "markdown":
        parsed = parse_markdown(source)
    else:
        parsed = parse_plain(source)
    if not parsed.text.strip():
        raise FileEmpty("the file holds no text")
    return parsed
