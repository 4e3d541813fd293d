"""The constants of ranking: one table, each with its source; `bench/ranking.py --derive` derives them again."""

from pydantic import Field

from muniment.kernel.model import Model


class RankingWeights(Model):
    """How candidates are judged. The defaults hold for the bundled embedding model; a collection may have others.

    Sources: [R] the experiment that the decision 0010 reports on, 12 query sets here and 10 kept aside; [A] its
    repetition over our own passages, each set left out in turn; [D] the same where documents are what is judged.
    """

    dense: float = Field(
        default=2.0, ge=0, description="Weight of the cosine. [R]: cosine and its window, joined."
    )
    words: float = Field(default=0.4, ge=0, description="Weight of words' BM25 within the words' side. [R]")
    grams: float = Field(default=0.9, ge=0, description="Weight of 4-grams' BM25 within the words' side. [R]")
    document: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of its document's best passage in each passage's, where passages are listed. [A]",
    )
    base: float = Field(
        default=0.6, ge=0, description="The words' side where it says nothing of the meaning's. [D]"
    )
    slope: float = Field(
        default=1.2, ge=0, description="What full agreement of both sides adds to the words'. [R]"
    )
    least: float = Field(default=0.2, ge=0, description="The words' side at the least, before distance. [R]")
    most: float = Field(default=1.6, ge=0, description="The words' side at the most, before distance. [R]")
    near: float = Field(
        default=0.6, ge=-1, le=1, description="Best cosine from which a query is near; the bundled model's. [D]"
    )
    span: float = Field(default=0.25, gt=0, description="How far below `near` a query is far; the model's. [R]")
    far: float = Field(default=2.0, ge=0, description="What the words' side gains where nothing is near. [R]")
    prior: float = Field(
        default=1.0,
        ge=0,
        le=8,
        description="The words' side of this collection, as its judged questions tell. [A]",
    )


DEFAULTS = RankingWeights()

SHOWN_HALF = 4.0
"""The sum of parts that is shown as 3/4; monotone, so it changes no order."""

BM25_HALF = 12.0
"""The BM25 score shown as 0.5 when keywords alone order the hits; monotone, so it changes no order."""

RRF_K = 60
"""Rank constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009, section 3)."""
