"""The public table: each address and method, the call behind it, and who may make it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from muniment.collections.contract import Collections
from muniment.documents.contract import Documents, Run
from muniment.gateway.batch import BatchUpload
from muniment.identity.contract import Identity, Scope
from muniment.kernel.contract import Op, operation
from muniment.kernel.model import Paged
from muniment.knowledge.contract import Knowledge
from muniment.models.contract import Models
from muniment.retrieval.contract import Retrieval

_V1 = "/api/v1"
_READ: tuple[Scope, ...] = ("documents:read",)
_WRITE: tuple[Scope, ...] = ("documents:write",)
_CHANGE_COLLECTION: tuple[Scope, ...] = ("documents:write", "collections:admin")
_USERS: tuple[Scope, ...] = ("users:admin",)
_SEE_COLLECTION: tuple[Scope, ...] = ("documents:read", "collections:admin")
_SEE_RUNS: tuple[Scope, ...] = ("documents:read", "collections:admin", "monitoring:read")


@dataclass(frozen=True)
class Row:
    """One call of the public API.

    `scopes`: any one of them is needed; none means that signing in is enough, `open` that not even that is.
    `fields` maps a path parameter to the request's field where the two differ in name. `asks` and `gives` are
    the public request and reply where they are not the operation's own; `hidden` fields nobody may set.
    `patience` chooses the bound of time, `size` the bound of the body.
    """

    method: str
    path: str
    contract: type
    call: str
    scopes: tuple[Scope, ...] = ()
    status: int = 200
    open: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    asks: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    hidden: frozenset[str] = frozenset()
    media: str = "application/json"
    patience: Literal["request", "answer", "upload"] = "request"
    size: Literal["body", "batch"] = "body"

    @property
    def name(self) -> str:
        """`POST /api/v1/search`."""
        return f"{self.method} {self.path}"

    @property
    def operation(self) -> Op:
        """The operation behind the call."""
        return operation(self.contract, self.call)

    @property
    def tag(self) -> str:
        """The heading under which the reference lists the call."""
        return "auth" if "/auth/" in self.path or "jwks" in self.path else self.operation.room

    @property
    def from_path(self) -> dict[str, str]:
        """The request's field for each path parameter."""
        return {name: self.fields.get(name, name) for name in re.findall(r"\{(\w+)\}", self.path)}

    @property
    def request(self) -> type[BaseModel]:
        """The model that is built from the HTTP request."""
        return self.asks or self.operation.request

    @property
    def reply(self) -> Any:
        """The type of the answer."""
        return self.gives or self.operation.reply


def _managed(plural: str, one: str, field_of_patch: str, scopes: tuple[Scope, ...]) -> tuple[Row, ...]:
    """Create, list, get, change and delete one kind of thing of identity's."""
    path, single = f"{_V1}/{plural}", f"{_V1}/{plural}/{{name}}"
    return (
        Row("POST", path, Identity, f"create_{one}", scopes, 201),
        Row("GET", path, Identity, f"list_{one}s", scopes),
        Row("GET", single, Identity, f"get_{one}", scopes),
        Row("PATCH", single, Identity, f"update_{one}", scopes, fields={"name": field_of_patch}),
        Row("DELETE", single, Identity, f"delete_{one}", scopes, 204),
    )


_COLLECTION = f"{_V1}/collections/{{collection}}"
_DOCUMENT = f"{_V1}/documents/{{id}}"
_MEMBER = f"{_V1}/groups/{{name}}/members/{{subject}}"
_LETTERS = f"{_V1}/dead-letters"
_BY_NAME = {"collection": "name"}
_READABLE = frozenset({"readable"})

TABLE: Sequence[Row] = (
    Row("POST", f"{_V1}/search", Retrieval, "search", _READ),
    Row("POST", f"{_V1}/search/explain", Retrieval, "explain", _READ),
    Row("POST", f"{_V1}/ask", Knowledge, "ask", _READ, patience="answer"),
    Row("POST", f"{_V1}/auth/login", Identity, "login", open=True),
    Row("POST", f"{_V1}/auth/refresh", Identity, "refresh", open=True),
    Row("POST", f"{_V1}/auth/logout", Identity, "logout", open=True, status=204),
    Row("POST", f"{_V1}/auth/password", Identity, "change_password", status=204),
    Row("GET", f"{_V1}/auth/me", Identity, "me"),
    Row("GET", "/.well-known/jwks.json", Identity, "jwks", open=True),
    *_managed("users", "user", "name", _USERS),
    *_managed("groups", "group", "group", _USERS),
    Row("PUT", _MEMBER, Identity, "add_member", _USERS, 204, fields={"name": "group"}),
    Row("DELETE", _MEMBER, Identity, "remove_member", _USERS, 204, fields={"name": "group"}),
    *_managed("api-keys", "api_key", "key", ()),
    Row("POST", f"{_V1}/collections", Collections, "create", _WRITE, 201),
    Row("GET", f"{_V1}/collections", Collections, "list", _SEE_COLLECTION, asks=Paged),
    Row("GET", _COLLECTION, Collections, "get", _SEE_COLLECTION, fields=_BY_NAME, hidden=_READABLE),
    Row("PATCH", _COLLECTION, Collections, "update", _CHANGE_COLLECTION, fields=_BY_NAME),
    Row("DELETE", _COLLECTION, Collections, "delete", _CHANGE_COLLECTION, 202, fields=_BY_NAME, gives=Run),
    Row(
        "POST",
        f"{_COLLECTION}/documents",
        Documents,
        "upload",
        _WRITE,
        202,
        patience="upload",
    ),
    Row(
        "POST",
        f"{_COLLECTION}/documents/batch",
        Documents,
        "upload",
        _WRITE,
        202,
        asks=BatchUpload,
        patience="upload",
        size="batch",
    ),
    Row("GET", f"{_COLLECTION}/documents", Documents, "list", _READ),
    Row("DELETE", f"{_COLLECTION}/documents", Documents, "delete_by_key", _WRITE, 204),
    Row("GET", f"{_COLLECTION}/index", Documents, "index_status", _CHANGE_COLLECTION),
    Row("POST", f"{_COLLECTION}/index", Documents, "build_index", _CHANGE_COLLECTION, 202, patience="upload"),
    Row("POST", f"{_COLLECTION}/index/switch", Documents, "switch_index", _CHANGE_COLLECTION),
    Row("DELETE", f"{_COLLECTION}/index/standby", Documents, "drop_index", _CHANGE_COLLECTION),
    Row("GET", _DOCUMENT, Documents, "get", _READ),
    Row("PATCH", _DOCUMENT, Documents, "update", _WRITE),
    Row("DELETE", _DOCUMENT, Documents, "delete", _WRITE, 204),
    Row("GET", f"{_DOCUMENT}/text", Documents, "text", _READ),
    Row("GET", f"{_DOCUMENT}/content", Documents, "content", _READ, media="application/octet-stream"),
    Row("GET", f"{_DOCUMENT}/rectangles", Documents, "rectangles", _READ),
    Row("GET", f"{_DOCUMENT}/pages/{{number}}", Documents, "page", _READ, media="image/png"),
    Row("GET", f"{_DOCUMENT}/access", Documents, "get_access", _READ),
    Row("PUT", f"{_DOCUMENT}/access", Documents, "set_access", _WRITE),
    Row("GET", f"{_V1}/runs", Documents, "list_runs", _SEE_RUNS),
    Row("GET", f"{_V1}/runs/{{id}}", Documents, "get_run", _SEE_RUNS),
    Row("POST", f"{_V1}/runs/{{id}}/retry", Documents, "retry_run", _WRITE),
    Row("POST", f"{_V1}/runs/{{id}}/cancel", Documents, "cancel_run", _WRITE),
    Row("POST", f"{_V1}/reconcile", Documents, "reconcile", ("collections:admin",), patience="upload"),
    Row("GET", _LETTERS, Documents, "list_dead_letters", _SEE_RUNS),
    Row("POST", f"{_LETTERS}/{{id}}/retry", Documents, "retry_dead_letter", _CHANGE_COLLECTION, 204),
    Row("DELETE", f"{_LETTERS}/{{id}}", Documents, "drop_dead_letter", _CHANGE_COLLECTION, 204),
    Row("GET", f"{_V1}/models", Models, "list", ("documents:read", "monitoring:read")),
)
