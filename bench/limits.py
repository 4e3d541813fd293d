"""What a row must reach, as its limit says it: `< 20 ms`, `at least 0.95`, `ratio at most 1.6`, `difference …`."""

import re

_SAID = re.compile(
    r"(?:^|, )(?P<of>ratio |difference |)(?P<how><=|>=|<|>|at least|at most) ?(?P<bound>[-+]?[\d,]*\.?\d+)"
)
_INTERVAL = re.compile(r"\[(?P<low>[-+]?[\d.]+), (?P<high>[-+]?[\d.]+)\]")
_HOLDS = {
    "<": float.__lt__,
    ">": float.__gt__,
    "<=": float.__le__,
    "at most": float.__le__,
    ">=": float.__ge__,
    "at least": float.__ge__,
}


def met(ours: float, baseline: float | None, limit: str) -> bool | None:
    """Whether it is reached; None where the limit says nothing.

    An interval of the difference is missed where all of it is below nothing.
    """
    if interval := _INTERVAL.search(limit):
        return float(interval["high"]) >= 0
    said = _SAID.search(limit)
    if said is None:
        return None
    measured = ours
    if said["of"]:
        if not baseline:
            return None
        measured = ours / baseline if said["of"] == "ratio " else ours - baseline
    return _HOLDS[said["how"]](float(measured), float(said["bound"].replace(",", "")))
