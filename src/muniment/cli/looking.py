"""What commands that search have in common: where, among what, as of when, and how it is judged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from muniment.collections.contract import Ranking
from muniment.documents.contract import FIELD_NAMES, DocumentType
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
ModeOption = Annotated[Mode, typer.Option("--mode", help="By words and meaning, or by one of the two.")]
RankingOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=NUMBER, to try: dense, words, grams, prior or candidates."),
]
StandbyOption = Annotated[
    bool, typer.Option("--standby", help="In the collections' second index; for their managers.")
]


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
        filters["created_at"] = {"gte": instant(since)}
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


def instant(day: datetime | None) -> str | None:
    """A time that names no zone is in UTC."""
    return None if day is None else (day if day.tzinfo else day.replace(tzinfo=UTC)).isoformat()


def ranking_of(changes: Sequence[str] | None) -> dict[str, float] | None:
    """The weights to judge by, null for those that the collections have."""
    if not changes:
        return None
    given = dict(change.partition("=")[::2] for change in changes)
    try:
        return Ranking.model_validate_strings(given).model_dump(exclude_none=True)
    except ValidationError as unfit:
        first = unfit.errors()[0]
        reason = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"]
        known = ", ".join(Ranking.model_fields)
        raise typer.BadParameter(f"--set {first['loc'][0]}: {reason}; it knows {known}") from unfit
