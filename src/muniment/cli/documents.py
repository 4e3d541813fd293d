"""Commands on documents: list, show, read, their history, who may read them, delete."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from muniment.cli.session import Column, Session, asking, moment, table
from muniment.cli.terminal import err, out, plain, print_json
from muniment.collections.contract import CollectionMissing
from muniment.documents.contract import DocumentMissing, DocumentType, ReviewStatus, VersionState
from muniment.identity.contract import Level
from muniment.kernel.problems import Invalid

DocumentArgument = Annotated[
    str, typer.Argument(metavar="DOCUMENT", help="Its id, COLLECTION/KEY, or a key that one collection has.")
]
VersionOption = Annotated[
    int | None, typer.Option("--version", min=1, help="An older version.", show_default="the current one")
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; a script is never asked.")]

app = typer.Typer(no_args_is_help=True, help="Documents: list, show, read, delete, and who may read them.")


def address(asked: Session, document: str, collections: Sequence[str] | None = None) -> str:
    """The API's address of a document that is given as `doc_…`, as COLLECTION/KEY, or by a key of one collection.

    A key alone is looked for in these `collections`, or in all that the caller sees. Raises DocumentMissing.
    """
    if _is_id(document):
        return f"/api/v1/documents/{quote(document, safe='')}"
    found = _named(asked, document, collections)
    if len(found) == 1:
        return f"/api/v1/documents/{next(iter(found.values()))}"
    if found:
        names = " or ".join(f"{collection}/{document}" for collection in found)
        raise DocumentMissing(f"several collections have {document}: say {names}", key=document)
    raise DocumentMissing(
        f"no document {document} that you may read; name it by its id or as COLLECTION/KEY, which "
        "`muniment documents list` shows",
        key=document,
    )


def is_known(asked: Session, document: str, collections: Sequence[str] | None = None) -> bool:
    """Whether the caller may read a document, or several, of that name: as `address` takes it."""
    if not _is_id(document):
        return bool(_named(asked, document, collections))
    with suppress(DocumentMissing):
        asked.muniment.get(f"/api/v1/documents/{quote(document, safe='')}")
        return True
    return False


def _is_id(document: str) -> bool:
    return document.startswith("doc_") and "/" not in document


def _named(asked: Session, document: str, collections: Sequence[str] | None) -> dict[str, str]:
    """The ids of documents that are called so, by collection."""
    first, _, rest = document.partition("/")
    if rest and (found := _with_key(asked, [first], rest)):
        return found
    known = collections or [collection["name"] for collection in asked.muniment.pages("/api/v1/collections")]
    return _with_key(asked, known, document)


def _with_key(asked: Session, collections: Sequence[str], key: str) -> dict[str, str]:
    """The ids of documents with this key, by collection; a folder of a key may be no collection."""
    found: dict[str, str] = {}
    for name in collections:
        with suppress(CollectionMissing):
            items = asked.muniment.get(f"/api/v1/collections/{quote(name, safe='')}/documents", key=key)["items"]
            if items:
                found[name] = items[0]["id"]
    return found


def state_of(document: dict[str, Any]) -> str:
    """The newest version's state; an older one that readers still see is named."""
    latest = document["versions"][-1]
    current = document["version"]
    if latest["state"] == "current" or current is None:
        return str(latest["state"])
    return f"{latest['state']} (version {current} is current)"


@app.command("list")
@asking
def list_documents(
    asked: Session,
    collection: Annotated[
        str | None, typer.Argument(help="The collection.", show_default="all that you see")
    ] = None,
    state: Annotated[VersionState | None, typer.Option("--state", help="Of the newest version.")] = None,
    status: Annotated[ReviewStatus | None, typer.Option("--status", help="The review's.")] = None,
    type: Annotated[DocumentType | None, typer.Option("--type", help="Of the document.")] = None,  # noqa: A002 - the API's word
    key_prefix: Annotated[str | None, typer.Option("--key-prefix", help="Keys that begin so.")] = None,
    sort: Annotated[
        str, typer.Option("--sort", help="key, created_at or modified_at; - in front: backwards.")
    ] = "key",
    limit: LimitOption = 50,
) -> None:
    """List the documents of a collection, or of all, with their states.

    Example: muniment documents list handbook --state failed
    """
    query = {"state": state, "status": status, "type": type, "key_prefix": key_prefix, "sort": sort}
    columns: tuple[Column, ...] = (
        ("STATE", state_of),
        ("VERSION", lambda d: d["versions"][-1]["number"]),
        ("CHUNKS", lambda d: d["versions"][-1]["chunks"]),
        ("MODIFIED", lambda d: moment(d["modified_at"])),
        ("TITLE", lambda d: d["title"]),
    )
    if collection is not None:
        path = f"/api/v1/collections/{quote(collection, safe='')}/documents"
        asked.list(path, (("KEY", lambda d: d["key"]), *columns), limit, **query)
        return
    names = [c["name"] for c in asked.muniment.pages("/api/v1/collections")]
    found = (d for n in names for d in asked.muniment.pages(f"/api/v1/collections/{n}/documents", **query))
    items = list(islice(found, limit + 1))
    if asked.as_json:
        print_json({"items": items[:limit], "next_cursor": None})
        return
    table(items[:limit], (("DOCUMENT", lambda d: f"{d['collection']}/{d['key']}"), *columns))
    if len(items) > limit:
        err.print(f"there are more; --limit {2 * limit} shows the next, too")


@app.command()
@asking
def show(asked: Session, document: DocumentArgument) -> None:
    """Show a document's fields, its state, and what went wrong with it if something did.

    Example: muniment documents show handbook/leases.md
    """
    told = asked.muniment.get(address(asked, document))
    problem = told["versions"][-1]["problem"]
    rest = {k: v for k, v in told.items() if k not in {"versions", "metadata", "version"}}
    reason = problem and (problem.get("detail") or problem["title"])
    asked.show(
        told, [*rest.items(), ("metadata", told["metadata"]), ("state", state_of(told)), ("problem", reason)]
    )


@app.command()
@asking
def text(asked: Session, document: DocumentArgument, version: VersionOption = None) -> None:
    """Print the text of a document as it was read: the text that footnotes count in.

    Example: muniment documents text handbook/leases.md
    """
    told = asked.muniment.get(f"{address(asked, document)}/text", version=version)
    if asked.as_json:
        print_json(told)
    elif out.is_terminal:
        for line in told["text"].split("\n"):
            out.print(plain(line))
    else:
        sys.stdout.write(told["text"] + "\n")


@app.command()
@asking
def download(
    asked: Session,
    document: DocumentArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    version: VersionOption = None,
) -> None:
    """Write a document's original bytes to a file.

    Example: muniment documents download handbook/leases.pdf -o leases.pdf
    """
    at = address(asked, document)
    try:
        with output.open("xb") as file, ExitStack() as undoing:
            undoing.callback(output.unlink, missing_ok=True)
            size = sum(file.write(piece) for piece in asked.muniment.content(f"{at}/content", version=version))
            undoing.pop_all()
    except FileExistsError as there:
        raise Invalid(f"{output} is there already; name another file") from there
    except OSError as refused:
        raise Invalid(f"{output} cannot be written: {refused.strerror}") from refused
    asked.tell({"path": str(output), "size_bytes": size}, f"{output}: {size} bytes")


@app.command()
@asking
def history(asked: Session, document: DocumentArgument) -> None:
    """List a document's versions, and when each was the current one.

    Example: muniment documents history handbook/leases.md
    """
    versions = asked.muniment.get(address(asked, document))["versions"]
    if asked.as_json:
        print_json(versions)
        return
    table(
        versions,
        (
            ("VERSION", lambda v: v["number"]),
            ("STATE", lambda v: v["state"]),
            ("UPLOADED", lambda v: moment(v["created_at"])),
            ("CURRENT FROM", lambda v: moment(v["current_from"])),
            ("TO", lambda v: moment(v["current_to"])),
            ("BYTES", lambda v: v["size_bytes"]),
            ("CHUNKS", lambda v: v["chunks"]),
            ("PROBLEM", lambda v: v["problem"] and (v["problem"].get("detail") or v["problem"]["title"])),
        ),
    )


@app.command()
@asking
def delete(
    asked: Session,
    documents: Annotated[list[str], typer.Argument(metavar="DOCUMENT…", help="Ids, or COLLECTION/KEY.")],
    yes: YesOption = False,
) -> None:
    """Delete documents; they are in no search that starts after.

    Example: muniment documents delete handbook/old.md
    """
    asked.confirm(f"Delete {', '.join(documents)} with all versions?", yes=yes)
    for document in documents:
        asked.muniment.delete(address(asked, document))
        if not asked.as_json:
            out.print(plain(f"deleted {document}"))
    if asked.as_json:
        print_json({"deleted": documents})


@app.command()
@asking
def access(
    asked: Session,
    document: DocumentArgument,
    level: Annotated[Level | None, typer.Option("--level", help="The clearance that members need.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="As user:NAME.")] = None,
    grant: Annotated[list[str] | None, typer.Option("--grant", help="Let in user:NAME or group:NAME.")] = None,
    revoke: Annotated[list[str] | None, typer.Option("--revoke", help="Take a grant back.")] = None,
) -> None:
    """Show who may read a document, or change it; in force with the answer.

    Example: muniment documents access handbook/leases.md --grant group:legal --level confidential
    """
    at = f"{address(asked, document)}/access"
    told = asked.muniment.get(at)
    change: dict[str, Any] = {}
    if level:
        change["access_level"] = level
    if owner:
        change["owner"] = owner
    if grant or revoke:
        unknown = sorted(set(revoke or ()) - set(told["grants"]))
        if unknown:
            err.print(plain(f"was not granted: {', '.join(unknown)}", "yellow"))
        change["grants"] = sorted({*told["grants"], *(grant or ())} - set(revoke or ()))
    if change:
        told = asked.muniment.put(at, change)
    asked.show(told, told.items())
