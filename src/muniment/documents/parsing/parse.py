"""From a file to its text and structure."""

from collections.abc import Callable, Mapping

from muniment.documents.parsing.compound.epub import parse_epub
from muniment.documents.parsing.compound.mail import parse_mail
from muniment.documents.parsing.formats import Format, tell, unread
from muniment.documents.parsing.language import PROSE, with_language
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.office.docx import parse_docx
from muniment.documents.parsing.office.pptx import parse_pptx
from muniment.documents.parsing.office.sheets import parse_xlsx
from muniment.documents.parsing.paged.image import parse_image
from muniment.documents.parsing.paged.pdf import parse_pdf
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.texts.asciidoc import parse_asciidoc
from muniment.documents.parsing.texts.code import parse_code
from muniment.documents.parsing.texts.delimited import parse_csv
from muniment.documents.parsing.texts.html import parse_html
from muniment.documents.parsing.texts.markdown import parse_markdown
from muniment.documents.parsing.texts.notebook import parse_notebook
from muniment.documents.parsing.texts.plain import parse_plain
from muniment.documents.parsing.texts.records import parse_json, parse_json_lines
from muniment.documents.shapes.problems import FileBroken, FileEmpty
from muniment.kernel.extras import late

READERS: Mapping[Format, Callable[[Source], Parsed]] = {
    "pdf": parse_pdf,
    "code": parse_code,
    "html": parse_html,
    "markdown": lambda source: parse_markdown(source.text()),
    "docx": parse_docx,
    "pptx": parse_pptx,
    "xlsx": parse_xlsx,
    "csv": parse_csv,
    "eml": parse_mail,
    "epub": parse_epub,
    "image": parse_image,
    "ipynb": parse_notebook,
    "json": parse_json,
    "jsonl": parse_json_lines,
    "asciidoc": parse_asciidoc,
    "rst": lambda source: late("muniment.documents.parsing.texts.rst").parse_rst(source),
    "plain": lambda source: parse_plain(source.text()),
}
"""What reads each format. A reader says no more than the file does, and stays within the source's limits."""


def parse(source: Source) -> Parsed:
    """The file's text and structure.

    Raises FormatUnknown, NotText, FileBroken, FileEncrypted, FileEmpty, ParserLimit.
    """
    if source.path.exists() and not source.path.is_file():
        raise FileBroken("this is no regular file; upload the file itself")
    if source.is_blank():
        raise FileEmpty("the file is empty")
    form = tell(source)
    reader = READERS.get(form)
    if reader is None:
        raise unread(form)
    parsed = reader(source)
    if not parsed.text.strip():
        raise FileEmpty("the file holds no text")
    return with_language(parsed) if form in PROSE else parsed
