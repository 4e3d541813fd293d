"""Q4: does a source bear a claim out (wice_citations, dev part)? Through the real check, without a language model.

    python -m bench.support

`supported` must be right nine times of ten. Balanced accuracy is taken where doubt begins: a claim is borne out
(`quoted`, `supported`, `partly`), or not (`unsupported`).
"""

import asyncio
from collections import Counter
from typing import Any

import numpy as np
from bench import evaldata, report
from bench.fitting import auc, balanced, best_balanced

from muniment.embedding.build import EmbeddingSettings
from muniment.embedding.build import build as build_embedding
from muniment.generation.contract import Check, Source
from muniment.generation.service import PassageWriter
from muniment.kernel.logs import configure_logs
from muniment.models.build import ModelsSettings
from muniment.models.build import build as build_models
from muniment.text.terms import terms

STRENGTH = {"unsupported": 0.0, "partly": 1.0, "supported": 2.0, "quoted": 3.0}
TITLE = "(meta data) TITLE: "


def main() -> None:
    """Measure."""
    configure_logs("error", "console")
    report.header()
    claims = [claim for claim in evaldata.lines("wice_citations/claims") if claim["split"] == "dev"]
    show(claims, asyncio.run(verdicts(claims)))


async def verdicts(claims: list[dict[str, Any]]) -> list[str]:
    """What the room says of each claim."""
    async with build_models(ModelsSettings()) as models, build_embedding(EmbeddingSettings(), models) as embedding:
        writer = PassageWriter(embedding)
        return [
            (await writer.check(Check(sentence=claim["claim"], sources=(source(claim),)))).verdict
            for claim in claims
        ]


def source(claim: dict[str, Any]) -> Source:
    """The cited page; its sentences stand apart, as the set cut them."""
    lines = claim["evidence"]
    title = lines[0].removeprefix(TITLE) if lines[0].startswith(TITLE) else ""
    return Source(title=title, section=(), text="\n\n".join(lines[1:] if title else lines))


def overlap(claim: dict[str, Any]) -> float:
    """The baseline: the share of the claim's words that the best sentence of the page holds."""
    words = set(terms(claim["claim"]))
    return max(len(words & set(terms(line))) for line in claim["evidence"]) / max(len(words), 1)


def show(claims: list[dict[str, Any]], said: list[str]) -> None:
    """Print the rows."""
    supported = np.array([claim["label"] == "supported" for claim in claims])
    refuted = np.array([claim["label"] == "not_supported" for claim in claims])
    strengths, words = np.array([STRENGTH[verdict] for verdict in said]), np.array([overlap(c) for c in claims])
    sure, borne_out = strengths >= STRENGTH["supported"], strengths > 0
    report.row("Q4 supported or not, balanced accuracy", balanced(supported, borne_out), "",
               beside="word overlap at its best threshold", baseline=best_balanced(supported, words),
               limit=">= 0.70", verdicts=dict(Counter(said)))  # fmt: skip
    report.row("Q4 precision of `supported`", float(supported[sure].mean()) if sure.any() else 0.0, "",
               limit=">= 0.9", said=int(sure.sum()), of=int(supported.sum()),
               not_supported_among_them=int(refuted[sure].sum()))  # fmt: skip
    report.row("Q4 not supported at all or else, balanced accuracy", balanced(~refuted, borne_out), "")
    report.row("Q4 AUC of the verdicts", auc(supported, strengths), "", beside="word overlap",
               baseline=auc(supported, words))  # fmt: skip


if __name__ == "__main__":
    main()
