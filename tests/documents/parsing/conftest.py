"""Files made by hand, and where the evaluation data is."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from kit.pdf import make_pdf

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

PdfMaker = Callable[..., bytes]


@pytest.fixture
def pdf() -> PdfMaker:
    return make_pdf


@pytest.fixture
def evaldata() -> Path:
    default = Path(__file__).parents[4] / "shared" / "evaldata"
    return Path(os.environ.get("MUNIMENT_EVALDATA", default))
