"""The operator's bounds of parsing; apart from what its child process imports, which starts often."""

from pydantic import Field

from muniment.documents.parsing.model import Limits
from muniment.kernel.settings import RoomSettings


class ParserSettings(RoomSettings):
    """The bounds of parsing; the room's own settings inherit them."""

    parser_processes: int = Field(default=2, ge=1, le=32, description="Files parsed at the same time.")
    parser_processes_most: int = Field(
        default=6, ge=1, le=64, description="Files parsed at the same time while slow ones hold up the others."
    )
    parser_seconds: float = Field(default=15, gt=0, description="The longest a small file's parsing may take.")
    parser_seconds_per_mb: float = Field(default=4, ge=0, description="What each MB of a file adds to that.")
    parser_seconds_most: float = Field(
        default=600, gt=0, description="The longest any file's parsing may take, text recognition included."
    )
    parser_memory_mb: int = Field(default=1024, ge=256, description="The most memory a parser may take, in MB.")
    parser_file_mb: int = Field(
        default=150, ge=1, description="The largest file of a format that is read as a whole (not PDF), in MB."
    )
    parser_output_mb: int = Field(
        default=128, ge=1, description="The most that a file may give: text, layout and attachments, in MB."
    )
    parser_text_characters: int = Field(
        default=20_000_000, ge=1000, description="The most text that is taken from one file, in characters."
    )
    parser_unpacked_mb: int = Field(
        default=500, ge=1, description="The most that an archive (Office, EPUB) may unpack to, in MB."
    )
    parser_nesting: int = Field(
        default=5, ge=1, le=32, description="How deep e-mails and archives may lie within one another."
    )
    parser_attachments: int = Field(default=100, ge=0, description="The most attachments taken from one e-mail.")
    parser_ocr_languages: str = Field(
        default="eng",
        pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$",
        description="The languages that Tesseract looks for in pictures and scans, joined by `+`: `eng+deu`.",
    )
    parser_ocr_seconds: float = Field(
        default=480, gt=0, le=540, description="The longest that reading the pictures of one file may take."
    )
    parser_pixels: int = Field(default=64_000_000, ge=1_000_000, description="The most pixels of one picture.")

    @property
    def limits(self) -> Limits:
        """What binds the readers of formats themselves."""
        return Limits(
            file_bytes=self.parser_file_mb * 1_000_000,
            output_bytes=self.parser_output_mb * 1_000_000,
            text_characters=self.parser_text_characters,
            unpacked_bytes=self.parser_unpacked_mb * 1_000_000,
            nesting=self.parser_nesting,
            attachments=self.parser_attachments,
            ocr_languages=self.parser_ocr_languages,
            ocr_seconds=self.parser_ocr_seconds,
            pixels=self.parser_pixels,
        )

    def seconds_for(self, size_bytes: int) -> float:
        """How long a file, or a text, of that size may take before it asks for more."""
        grown = self.parser_seconds + self.parser_seconds_per_mb * size_bytes / 1_000_000
        return max(self.parser_seconds, min(grown, self.parser_seconds_most))
