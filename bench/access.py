"""Q6: what somebody finds among what others may read, beside a search over a house that holds their part alone.

    python -m bench.access [--only tenants groups] [--documents 275] [--users 6] [--queries 40]

`rag_multi_corpus`: five tenants in one house, a collection each. `acl_k8s`: one collection of design documents,
each granted to the groups that own it and to its authors. A leak is a hit that one may not read, in any mode;
agreement is the share of the ten best of the house alone that are among the ten best here. Keyword weights are of
all that one may read, up to 16,384 passages.
"""

import argparse
import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench import evaldata, judged, report
from bench.house import admin, collection, house, ingest
from bench.kept import KeptEmbedding

from muniment.collections.contract import Collections
from muniment.documents.contract import NewDocument, Options
from muniment.embedding.contract import Embedding
from muniment.gateway.authenticate import Gate
from muniment.identity.contract import CreateGroup, CreateUser, Identity, Login, Membership
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.house import House
from muniment.retrieval.contract import Mode, Retrieval, Search

MODES: tuple[Mode, ...] = ("hybrid", "dense", "keyword")
PASSWORD = "a word that opens"
QUICK = {"MUNIMENT_IDENTITY__PASSWORD_MEMORY_KIB": "8", "MUNIMENT_IDENTITY__PASSWORD_PASSES": "1"}
Found = dict[Mode, list[list[tuple[str, int]]]]
"""Of each query the hits: a document's key and where the passage begins."""


class Reader(NamedTuple):
    """Somebody, the groups that they are in, and what they may read."""

    name: str
    groups: tuple[str, ...]
    allowed: frozenset[str]


class Case(NamedTuple):
    """Documents with where they go and who may read them, and the readers with what they ask."""

    name: str
    documents: Sequence[evaldata.Document]
    place: Callable[[evaldata.Document], str]
    grants: Callable[[evaldata.Document], tuple[str, ...]]
    readers: Sequence[Reader]
    queries: Mapping[str, Sequence[str]]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("tenants", "groups"), default=("tenants", "groups"))
    parser.add_argument("--documents", type=int, default=275, help="of acl_k8s")
    parser.add_argument("--users", type=int, default=6, help="of acl_k8s")
    parser.add_argument("--queries", type=int, default=40, help="of each reader")
    asked = parser.parse_args()
    report.header()
    if "tenants" in asked.only:
        asyncio.run(measure(tenants(asked.queries)))
    if "groups" in asked.only:
        asyncio.run(measure(groups(asked.documents, asked.users, asked.queries)))


def tenants(queries: int) -> Case:
    """Each enterprise reads its own collection, and its questions are its own and the others'."""
    of = {line["_id"]: line["tenant"].lower() for line in evaldata.lines("rag_multi_corpus/corpus")}
    texts = [q.text for q in judged.questions("rag_multi_corpus", queries)]
    names = sorted(set(of.values()))
    readers = [
        Reader(_name(f"{name}-reader"), (_name(name),), frozenset(d for d, tenant in of.items() if tenant == name))
        for name in names
    ]
    return Case(
        "rag_multi_corpus, tenants",
        evaldata.documents("rag_multi_corpus"),
        lambda document: _name(of[document.id]),
        lambda document: (f"group:{_name(of[document.id])}",),
        readers,
        {reader.name: texts for reader in readers},
    )


def groups(documents: int, users: int, queries: int) -> Case:
    """Owners' groups, authors, reviewers and approvers read a document."""
    held = judged.needed_first("k8s_notes_to_kep", documents)
    rules = {line["doc"]: line for line in evaldata.lines("acl_k8s/docs")}
    members = {line["group"]: set(line["members"]) for line in evaldata.lines("acl_k8s/groups")}
    named: dict[str, set[str]] = {}
    sigs: dict[str, set[str]] = {}
    for document in held:
        rule = rules[document.id]
        sigs[document.id] = {rule["owning_sig"], *rule["participating_sigs"]} & members.keys()
        named[document.id] = {*rule["authors"], *rule["reviewers"], *rule["approvers"]}
    everybody = sorted(set().union(*named.values(), *members.values()))
    allowed = {
        user: frozenset(
            d.id for d in held if user in named[d.id] or any(user in members[sig] for sig in sigs[d.id])
        )
        for user in everybody
    }
    some = random.Random(0).sample([user for user in everybody if len(allowed[user]) >= judged.TOP], users)
    readers = [
        Reader(_name(user), tuple(_name(g) for g in sorted(members) if user in members[g]), allowed[user])
        for user in some
    ]
    texts = [q.text for q in judged.questions("k8s_notes_to_kep", queries, there={d.id for d in held})]
    return Case(
        f"acl_k8s, {len(held)} documents",
        held,
        lambda _: "keps",
        lambda document: (
            *(f"group:{_name(sig)}" for sig in sorted(sigs[document.id])),
            *(f"user:{_name(user)}" for user in some if user in named[document.id]),
        ),
        readers,
        {reader.name: texts for reader in readers},
    )


async def measure(case: Case) -> None:
    """All of them in one house, then each one's part alone."""
    with tempfile.TemporaryDirectory() as data:
        found = await searched(Path(data), case, case.readers, case.documents)
    alone: dict[str, Found] = {}
    for reader in case.readers:
        theirs = [document for document in case.documents if document.id in reader.allowed]
        with tempfile.TemporaryDirectory() as data:
            alone |= await searched(Path(data), case, [reader], theirs)
    asked = sum(map(len, case.queries.values()))
    for mode in MODES:
        hits = [(r, key) for r in case.readers for query in found[r.name][mode] for key, _ in query]
        leaks = [key for reader, key in hits if key not in reader.allowed]
        shares = [
            _agreement(here, there)
            for reader in case.readers
            for here, there in zip(found[reader.name][mode], alone[reader.name][mode], strict=True)
            if there
        ]
        work = f"Q6 {case.name}, {len(case.readers)} readers, {asked} searches, {mode}"
        empty = [reader.name for reader in case.readers for query in found[reader.name][mode] if not query]
        report.row(
            f"{work}: leaks",
            len(leaks),
            "hits",
            limit="at most 0",
            of=len(hits),
            without_hits=dict(Counter(empty)),
        )
        report.row(
            f"{work}: ten best", float(np.mean(shares)), "", beside="their part alone", baseline=1.0,
            limit=">= 0.99", samples=shares,
        )  # fmt: skip


async def searched(
    data: Path, case: Case, readers: Sequence[Reader], documents: Sequence[evaldata.Document]
) -> dict[str, Found]:
    """What each reader finds in a house with those documents."""
    async with house(data, rooms={Embedding: KeptEmbedding.building}, settings=QUICK) as opened:
        names = {grant.partition(":")[2] for document in case.documents for grant in case.grants(document)}
        names |= {group for reader in case.readers for group in reader.groups}
        await _people(opened, names, case.readers)
        places = sorted({case.place(document) for document in documents})
        for place in places:
            await collection(opened, place)
            files = [_new(case, document) for document in documents if case.place(document) == place]
            run = await ingest(opened, place, files)
            if run.state != "succeeded":
                raise RuntimeError(f"the ingest of {place} ended as {run.state}: {run.problem}")
        retrieval = await opened.get(Retrieval)
        return {
            reader.name: await _ask(retrieval, await _enter(opened, reader), case.queries[reader.name])
            for reader in readers
        }


async def _ask(retrieval: Retrieval, who: Caller, queries: Sequence[str]) -> Found:
    found: Found = {mode: [] for mode in MODES}
    with calling_as(who):
        for query in queries:
            for mode in MODES:
                hits = (await retrieval.search(Search(query=query[:8192], limit=judged.TOP, mode=mode))).hits
                found[mode].append([(hit.document.key, hit.chunk.span.start) for hit in hits])
    return found


async def _people(opened: House, names: set[str], readers: Sequence[Reader]) -> None:
    identity = await opened.get(Identity)
    people = {reader.name for reader in readers}
    with calling_as(await admin(opened)):
        for name in sorted(names - people):
            await identity.create_group(CreateGroup(name=name))
        for reader in readers:
            await identity.create_user(CreateUser(username=reader.name, password=PASSWORD, roles=("viewer",)))
            for group in reader.groups:
                await identity.add_member(Membership(group=group, subject=f"user:{reader.name}"))


async def _enter(opened: House, reader: Reader) -> Caller:
    identity = await opened.get(Identity)
    token = (await identity.login(Login(username=reader.name, password=PASSWORD))).access_token
    return await Gate(identity, await opened.get(Collections)).admit(f"Bearer {token}", "bench")


def _new(case: Case, document: evaldata.Document) -> NewDocument:
    title = document.title.strip()[:1024] or None
    options = Options(key=document.id, title=title, grants=case.grants(document))
    return NewDocument(content=document.text.replace("\x00", ""), media_type="text/markdown", options=options)


def _agreement(here: Sequence[tuple[str, int]], there: Sequence[tuple[str, int]]) -> float:
    return len(set(here) & set(there)) / len(there)


def _name(said: str) -> str:
    """As users, groups and collections are named."""
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in said.lower())


if __name__ == "__main__":
    main()
