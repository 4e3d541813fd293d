"""What arithmetic this machine's processor does well, from the text of /proc/cpuinfo."""

import re
from typing import Literal

Form = Literal["int8", "int7", "fp32"]
"""How the weights are kept: 8 bits, 7 bits (no product can overflow), or 32-bit floats."""

_EIGHT_BIT_DOT_PRODUCT = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})
_AVX2 = "avx2"


def best_form(cpuinfo: str) -> Form:
    """The fastest form whose products are exact on that processor; fp32 when it is not known.

    Without a dot product of its own, x86 adds pairs of 8-bit products in 16 bits, which saturates.
    """
    flags = set(re.sub(r"(?m)^(?!flags|Features).*$", "", cpuinfo).split())
    if flags & _EIGHT_BIT_DOT_PRODUCT:
        return "int8"
    return "int7" if _AVX2 in flags else "fp32"
