"""Documents on one SQL database, a blob store and an index."""

from muniment.documents.changing import Changing
from muniment.documents.drawing import Drawing
from muniment.documents.generations import Generations
from muniment.documents.letters import Letters
from muniment.documents.reconciling import Reconciling
from muniment.documents.uploads import Uploads


class SqlDocuments(Uploads, Changing, Drawing, Generations, Letters, Reconciling):
    """The contract's operations, by what they are about."""
