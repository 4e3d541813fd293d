"""A text that was parsed by itself becomes part of a larger one."""

from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.structure import Growing


def graft(growing: Growing, parsed: Parsed, *, below: int) -> None:
    """Add all of its blocks, the headings so many levels further down.

    Raises ParserLimit.
    """
    levels = {section.start: len(section.path) for section in parsed.sections}
    for block in parsed.blocks:
        text = parsed.text[block.start : block.end]
        if block.kind == "heading":
            growing.add("heading", text, level=below + levels.get(block.start, 1))
        else:
            header = 0 if block.header is None else block.header.end - block.header.start
            growing.add(block.kind, text, header=header)
