"""Commands that get answers out: search and ask."""

from typing import Annotated, Any

import typer

from muniment.cli.connection import DataOption, JsonOption, ServerOption, connect
from muniment.cli.terminal import err, footnote_line, hit_lines, out, plain, print_json, sentence_text
from muniment.retrieval.contract import Mode

CollectionsOption = Annotated[
    list[str] | None, typer.Option("--collection", "-c", help="Only in this collection; may be repeated.")
]


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    collection: CollectionsOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many passages.")] = 5,
    mode: Annotated[Mode, typer.Option("--mode", help="By words and meaning, or by one of the two.")] = "hybrid",
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages nearest to a query.

    Example: muniment search "how are leases renewed" -c handbook
    """
    body = {"query": query, "collections": collection or None, "limit": limit, "mode": mode}
    with connect(server, data) as muniment:
        answer = muniment.post("/api/v1/search", body)
    if as_json:
        print_json(answer)
        return
    for place, hit in enumerate(answer["hits"], 1):
        for line in hit_lines(place, hit):
            out.print(line)
    if not answer["hits"]:
        err.print("nothing found")
    _warn(answer["degraded"])


def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    collection: CollectionsOption = None,
    model: Annotated[str, typer.Option("--model", help="auto, extractive, or a configured model.")] = "auto",
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the documents, each sentence with its footnotes.

    Example: muniment ask "Who approves a change of the retention policy?"
    """
    body = {"question": question, "collections": collection or None, "model": model}
    with connect(server, data) as muniment:
        if as_json:
            print_json(muniment.post("/api/v1/ask", body))
            return
        for event, told in muniment.events("/api/v1/ask", body):
            if event == "sentence":
                out.print(sentence_text(told))
            elif event == "done":
                _conclude(told)


def _conclude(answer: dict[str, Any]) -> None:
    if answer["abstained"]:
        out.print(plain(answer["answer"]))
        if answer["passages"]:
            err.print("The nearest passages:")
        for place, hit in enumerate(answer["passages"][:3], 1):
            for line in hit_lines(place, hit):
                err.print(line)
    elif answer["footnotes"]:
        out.print()
    for footnote in answer["footnotes"]:
        out.print(footnote_line(footnote))
    _warn(answer["degraded"])


def _warn(degraded: list[str]) -> None:
    if degraded:
        err.print(plain(f"degraded: answered without {', '.join(degraded)}; the server's log says why", "yellow"))
