"""Documents on one SQL database, a blob store and an index."""

from muniment.documents.changing import Changing
from muniment.documents.runs import Runs
from muniment.documents.uploads import Uploads


class SqlDocuments(Uploads, Changing, Runs):
    """The contract's operations, by what they are about."""
