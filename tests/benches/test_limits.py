"""A bench says by itself which of its limits was missed."""

import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

from bench.limits import met  # noqa: E402 - beside src


@pytest.mark.parametrize(
    ("ours", "baseline", "limit", "reached"),
    [
        (9.9, None, "< 10 ms", True),
        (10.0, 5.0, "< 10 ms", False),
        (2900.0, None, "< 3,000 MB", True),
        (0.0, None, "at most 0", True),
        (0.94, 1.0, "at least 0.95", False),
        (3.0, 2.0, "ratio at least 1.4", True),
        (3.0, 2.0, "ratio < 1.05", False),
        (3.0, None, "ratio < 1.05", None),
        (0.63, 0.60, "difference at least +0.025, here +0.030", True),
        (0.62, 0.60, "difference at least +0.025, here +0.020", False),
        (0.62, 0.60, "+0.020 [-0.010, +0.050]", True),
        (0.55, 0.60, "-0.050 [-0.090, -0.010]", False),
        (0.55, None, "time until all are searchable", None),
        (0.55, None, "", None),
    ],
)
def test_a_limit_is_reached_missed_or_says_nothing(ours, baseline, limit, reached):
    assert met(ours, baseline, limit) is reached
