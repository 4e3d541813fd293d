"""Explanations in sentences: a person reads why, not a matrix."""

from collections.abc import Sequence

from muniment.retrieval.contract import Explanation, Part, Standing
from muniment.retrieval.fusion import Ranked, Weighed

_SIGNALS = {
    "dense": ("meaning", "cosine {:.2f}"),
    "words": ("its words", "BM25 {:.1f}"),
    "keyword": ("its words", "BM25 {:.1f}"),
    "grams": ("its spelling", "BM25 of 4 letters {:.1f}"),
    "rerank": ("the reranker", "{:.2f}"),
}
_BY_PHRASE = "Says what is quoted; it stands behind what is nearer to the rest of the question."
_SLIGHT = 0.05
"""What a part must add, or take, to be worth a word."""


def explanation(place: Ranked) -> Explanation:
    """Why a candidate stands where it stands, its strongest side first."""
    parts = sorted(place.parts, key=lambda part: -part.adds)
    if not parts:
        return Explanation(says=_BY_PHRASE, parts=())
    return Explanation(
        says=_summary(parts),
        parts=tuple(Part(signal=p.signal, value=p.value, adds=p.adds, says=_sentence(p)) for p in parts),
    )


def _summary(parts: Sequence[Weighed]) -> str:
    lifts = [_name(part) for part in parts if part.adds > _SLIGHT]
    weighs_down = [_name(part) for part in parts if part.adds < -_SLIGHT]
    said = f"Found for {' and '.join(lifts)}" if lifts else "Found, though nothing of it stands out"
    return f"{said}; less than others for {' and '.join(weighs_down)}." if weighs_down else f"{said}."


def _sentence(part: Weighed) -> str:
    name = _name(part)
    if abs(part.adds) <= _SLIGHT:
        return f"{name[0].upper()}{name[1:]}: as most others found."
    how = "better" if part.adds > 0 else "worse"
    return f"{name[0].upper()}{name[1:]}: {how} than most others found ({part.adds:+.2f})."


def _name(part: Weighed) -> str:
    name, measure = _SIGNALS[part.signal]
    return f"{name} ({measure.format(part.value)})"


def standing_told(standing: Standing) -> str:
    """Where a document stands by one signal alone."""
    name, measure = _SIGNALS[standing.signal]
    where = f"number {standing.rank}" if standing.rank else f"behind the first {standing.of}"
    return f"By {name} alone it is {where} ({measure.format(standing.value)})."
