"""What may be wrong with a document, its file or its run."""

from muniment.kernel.problems import Problem, Throttled


class DocumentMissing(Problem, status=404):
    """No such document, or none that the caller may read; `document` names it."""


class VersionMissing(Problem, status=404):
    """The document has no such version, or none that is ready."""


class KeyTaken(Problem, status=409):
    """The key belongs to a document that the caller may not read; choose another key."""


class PageMissing(Problem, status=404):
    """The version has no such page, or none that can be drawn."""


class QueueFull(Throttled, status=429, retryable=True):
    """More documents wait for their ingestion than the server lets wait; nothing of the upload was taken."""


class RunMissing(Problem, status=404):
    """No such run, or none that the caller may see."""


class RunNotOver(Problem, status=409):
    """Only a run that ended can be retried; only one that has not can be cancelled."""


class RunCancelled(Problem, status=409):
    """The run was called off before its end; it can be retried."""


class NotText(Problem, status=422):
    """The bytes are not text in a known encoding."""


class FileBroken(Problem, status=422):
    """The file cannot be read as what it claims to be: broken, truncated."""


class FileEncrypted(Problem, status=422):
    """The file is protected by a password; upload an unprotected copy."""


class FileEmpty(Problem, status=422):
    """The file holds no text."""


class FormatUnknown(Problem, status=422):
    """No parser here reads this type."""


class OcrMissing(Problem, status=422):
    """The file is a picture or a scan, and what reads pictures is not installed."""


class ParserLimit(Problem, status=422):
    """Parsing went over its bound of time, memory or output; `limit` names it."""
