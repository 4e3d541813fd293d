"""Commands that get answers out: search, why and ask."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from muniment.cli.documents import DocumentArgument, address
from muniment.cli.session import Session, asking
from muniment.cli.terminal import err, footnote_line, hit_lines, out, plain, print_json, sentence_text
from muniment.documents.contract import FIELD_NAMES, DocumentType
from muniment.kernel.extras import late
from muniment.kernel.problems import Problem
from muniment.retrieval.contract import Mode

CollectionsOption = Annotated[
    list[str] | None, typer.Option("--collection", "-c", help="Only in this collection; may be repeated.")
]
TypesOption = Annotated[DocumentType | None, typer.Option("--type", help="Only documents of this type.")]
TagsOption = Annotated[list[str] | None, typer.Option("--tag", help="Only with this tag; may be repeated.")]
SinceOption = Annotated[
    datetime | None, typer.Option("--since", help="Only what was created since.", formats=["%Y-%m-%d"])
]
FiltersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter", "-f", help="NAME=VALUE, a field or metadata; may be repeated: any of a name's values."
    ),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option("--as-of", help="In the versions of that time.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
]
NEAREST = 3


def filters_of(
    type: DocumentType | None,  # noqa: A002 - the API's word
    tags: list[str] | None,
    since: datetime | None,
    given: list[str] | None,
) -> dict[str, Any]:
    """The API's filters; a name that is no known field is one of the metadata."""
    filters: dict[str, Any] = {}
    if type:
        filters["type"] = [type]
    if tags:
        filters["tags"] = {"all": tags}
    if since:
        filters["created_at"] = {"gte": _instant(since)}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"--filter wants NAME=VALUE, not {pair!r}")
        known = name in FIELD_NAMES or name in {"document", "access_level"} or name.startswith("metadata.")
        values = filters.setdefault(name if known else f"metadata.{name}", [])
        values.append(value)
        if not known and value.lstrip("-").isdecimal():
            values.append(int(value))  # metadata are as they were given, and 3 is not "3"
    return filters


def _instant(day: datetime | None) -> str | None:
    """A time that names no zone is in UTC."""
    return None if day is None else (day if day.tzinfo else day.replace(tzinfo=UTC)).isoformat()


@asking
def search(
    asked: Session,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    collection: CollectionsOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many passages.")] = 5,
    mode: Annotated[Mode, typer.Option("--mode", help="By words and meaning, or by one of the two.")] = "hybrid",
    by_document: Annotated[bool, typer.Option("--by-document", help="The best passage of each document.")] = False,
    type: TypesOption = None,  # noqa: A002 - the API's word
    tag: TagsOption = None,
    since: SinceOption = None,
    filter: FiltersOption = None,  # noqa: A002 - the API's word
    as_of: AsOfOption = None,
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
        "as_of": _instant(as_of),
        "explain": explain,
    }
    answer = asked.muniment.post("/api/v1/search", body)
    if asked.as_json:
        print_json(answer)
        return
    if answer["corrected"]:
        err.print(plain(f"not all of that is known; this is for: {answer['corrected']}"))
    several = len({hit["document"]["collection"] for hit in answer["hits"]}) > 1
    for place, hit in enumerate(answer["hits"], 1):
        for line in hit_lines(place, hit, several=several):
            out.print(line)
        if hit["explanation"]:
            out.print(plain(hit["explanation"]["says"], "dim"))
    if not answer["hits"]:
        err.print("nothing found")
    _warn(answer["degraded"])


@asking
def why(
    asked: Session,
    query: Annotated[str, typer.Argument(help="What was looked for.")],
    document: DocumentArgument,
    collection: CollectionsOption = None,
    mode: Annotated[Mode, typer.Option("--mode", help="By words and meaning, or by one of the two.")] = "hybrid",
    filter: FiltersOption = None,  # noqa: A002 - the API's word
) -> None:
    """Tell why a search finds a document, or why not.

    Example: muniment why "how are leases renewed" handbook/leases.md
    """
    body = {
        "query": query,
        "document": address(asked, document).rpartition("/")[2],
        "collections": collection or None,
        "mode": mode,
        "filters": filters_of(None, None, None, filter),
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
        "as_of": _instant(as_of),
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
            _conclude(told)


def _conclude(answer: dict[str, Any]) -> None:
    if answer["abstained"]:
        out.print(plain(answer["answer"]))
        if answer["passages"]:
            out.print("The nearest passages:")
        for place, hit in enumerate(answer["passages"][:NEAREST], 1):
            for line in hit_lines(place, hit):
                out.print(line)
    elif answer["footnotes"]:
        out.print()
    for footnote in answer["footnotes"]:
        out.print(footnote_line(footnote))
    _warn(answer["degraded"])


def _warn(degraded: list[str]) -> None:
    if degraded:
        err.print(plain(f"degraded: answered without {', '.join(degraded)}; the server's log says why", "yellow"))
