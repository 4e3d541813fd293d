"""Commands that get answers out: search, why and ask."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from muniment.cli.documents import DocumentArgument, address
from muniment.cli.looking import (
    AsOfOption,
    CollectionsOption,
    FiltersOption,
    ModeOption,
    RankingOption,
    SinceOption,
    StandbyOption,
    TagsOption,
    TypesOption,
    filters_of,
    instant,
    ranking_of,
)
from muniment.cli.session import Session, asking
from muniment.cli.terminal import err, footnote_line, hit_lines, out, plain, print_json, sentence_text
from muniment.kernel.extras import late
from muniment.kernel.problems import Problem
from muniment.text.phrases import unquoted

NEAREST = 3


@asking
def search(
    asked: Session,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    collection: CollectionsOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many passages.")] = 5,
    mode: ModeOption = "hybrid",
    by_document: Annotated[bool, typer.Option("--by-document", help="The best passage of each document.")] = False,
    type: TypesOption = None,  # noqa: A002 - the API's word
    tag: TagsOption = None,
    since: SinceOption = None,
    filter: FiltersOption = None,  # noqa: A002 - the API's word
    as_of: AsOfOption = None,
    change: RankingOption = None,
    standby: StandbyOption = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say of each hit why it is there.")] = False,
) -> None:
    """Find the passages nearest to a query.

    Example: muniment search "how are leases renewed" -c handbook --tag storage -f team=infra
    """
    body = {
        "query": query,
        "collections": collection or None,
        "limit": limit,
        "mode": mode,
        "group_by": "document" if by_document else None,
        "filters": filters_of(type, tag, since, filter),
        "as_of": instant(as_of),
        "explain": explain,
        "ranking": ranking_of(change),
        "standby": standby,
    }
    answer = asked.muniment.post("/api/v1/search", body)
    if asked.as_json:
        print_json(answer)
        return
    if answer["corrected"]:
        err.print(plain(_instead(query, answer["corrected"])))
    several = len({hit["document"]["collection"] for hit in answer["hits"]}) > 1
    for place, hit in enumerate(answer["hits"], 1):
        for line in hit_lines(place, hit, answer["corrected"] or query, several=several):
            out.print(line)
        if hit["explanation"]:
            out.print(plain(hit["explanation"]["says"], "dim"))
    if not answer["hits"]:
        err.print("nothing found that says what is in quotes" if unquoted(query).phrases else "nothing found")
        _hint(asked, collection)
    _warn(answer["degraded"])


@asking
def why(
    asked: Session,
    query: Annotated[str, typer.Argument(help="What was looked for.")],
    document: DocumentArgument,
    collection: CollectionsOption = None,
    mode: ModeOption = "hybrid",
    type: TypesOption = None,  # noqa: A002 - the API's word
    tag: TagsOption = None,
    since: SinceOption = None,
    filter: FiltersOption = None,  # noqa: A002 - the API's word
    as_of: AsOfOption = None,
    change: RankingOption = None,
    standby: StandbyOption = False,
) -> None:
    """Tell why a search with the same options finds a document, or why not.

    Example: muniment why "how are leases renewed" handbook/leases.md
    """
    body = {
        "query": query,
        "document": address(asked, document, collection).rpartition("/")[2],
        "collections": collection or None,
        "mode": mode,
        "filters": filters_of(type, tag, since, filter),
        "as_of": instant(as_of),
        "ranking": ranking_of(change),
        "standby": standby,
    }
    answer = asked.muniment.post("/api/v1/search/explain", body)
    asked.tell(answer, answer["says"])


@asking
def ask(
    asked: Session,
    question: Annotated[str | None, typer.Argument(help="The question.")] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Ask one question after the other, until Ctrl-D.")
    ] = False,
    collection: CollectionsOption = None,
    model: Annotated[str, typer.Option("--model", help="auto, extractive, or a configured model.")] = "auto",
    type: TypesOption = None,  # noqa: A002 - the API's word
    tag: TagsOption = None,
    since: SinceOption = None,
    filter: FiltersOption = None,  # noqa: A002 - the API's word
    as_of: AsOfOption = None,
) -> None:
    """Answer a question from the documents, each sentence with its footnotes.

    Example: muniment ask "Who approves a change of the retention policy?"
    """
    if question is None and not interactive:
        raise typer.BadParameter("give a question, or -i to ask several")
    body = {
        "collections": collection or None,
        "model": model,
        "filters": filters_of(type, tag, since, filter),
        "as_of": instant(as_of),
    }
    if question is not None:
        _answer(asked, body | {"question": question})
    if interactive:
        _converse(asked, body)


def _converse(asked: Session, body: dict[str, Any]) -> None:
    """Each line of the input is a question; one that fails does not end it."""
    if sys.stdin.isatty():
        late("readline")  # `input` then knows the arrow keys
        err.print(plain(f"{asked.muniment.server}: each question stands for itself; Ctrl-D ends", "dim"))
    while True:
        try:
            line = input("? " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if not line:
            continue
        try:
            _answer(asked, body | {"question": line})
        except Problem as problem:
            err.print(plain(problem.detail or problem.title, "red"))
        if not asked.as_json:
            out.print()


def _answer(asked: Session, body: dict[str, Any]) -> None:
    if asked.as_json:
        print_json(asked.muniment.post("/api/v1/ask", body))
        return
    for event, told in asked.muniment.events("/api/v1/ask", body):
        if event == "sentence":
            out.print(sentence_text(told))
        elif event == "done":
            _conclude(told, body["question"])
            if not told["passages"]:
                _hint(asked, body["collections"])


def _conclude(answer: dict[str, Any], question: str) -> None:
    if answer["abstained"]:
        out.print(plain(answer["answer"]))
        if answer["passages"]:
            out.print("The nearest passages:")
        for place, hit in enumerate(answer["passages"][:NEAREST], 1):
            for line in hit_lines(place, hit, question):
                out.print(line)
    elif answer["footnotes"]:
        out.print()
    for footnote in answer["footnotes"]:
        out.print(footnote_line(footnote))
    _warn(answer["degraded"])


def _hint(asked: Session, collections: Sequence[str] | None) -> None:
    """What to do where there is nothing yet to be found."""
    found = [
        of for of in asked.muniment.pages("/api/v1/collections") if not collections or of["name"] in collections
    ]
    if not any(of["documents"] for of in found):
        err.print("there is no document yet that you may read: `muniment add FILE` puts one in")


def _instead(query: str, corrected: str) -> str:
    """What was looked for in the stead of a query, and why."""
    said = unquoted(query)
    if said.phrases and said.text == corrected:
        return f"nothing says just what is in quotes; this is without them: {corrected}"
    return f"not all of that is known; this is for: {corrected}"


def _warn(degraded: list[str]) -> None:
    if "cache" in degraded:
        err.print(plain("degraded: search is down; this is what it found before", "yellow"))
    elif degraded:
        err.print(plain(f"degraded: answered without {', '.join(degraded)}; the server's log says why", "yellow"))
