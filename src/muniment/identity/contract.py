"""Identity's contract: users, groups, API keys, sessions, and who a credential speaks for."""

from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from muniment.kernel.contract import idempotent
from muniment.kernel.model import Change, Model, Nothing, Page, Paged, Text, Time
from muniment.kernel.problems import Problem

Level = Literal["public", "internal", "confidential", "restricted"]
"""Access level of a document, clearance of a user; each includes those before it."""

LEVELS: tuple[Level, ...] = ("public", "internal", "confidential", "restricted")

Role = Literal["viewer", "member", "engineer", "product_manager", "editor", "admin"]
Scope = Literal[
    "documents:read",
    "documents:write",
    "collections:admin",
    "users:admin",
    "monitoring:read",
    "config:admin",
]

EDITORS: frozenset[str] = frozenset({"editor", "admin"})
"""Roles that change others' documents, and manage members, in collections that their holder is a member of."""

EVERYONE = "grp_everyone"
"""The group that every principal is in; `group:everyone` names it, nobody changes it."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
"""A user's or group's name, unique while it exists. Ids are never reused, names may be."""

SubjectName = Annotated[str, StringConstraints(pattern=r"^(user|group):[a-z0-9][a-z0-9._-]{0,62}$")]
"""`user:ada` or `group:eng`, as people write a subject."""

LEAST_PASSWORD = 8


def _long_enough(password: str) -> str:
    """Said here, in words: the bound alone says "items"."""
    if len(password) < LEAST_PASSWORD:
        raise ValueError(f"a password has at least {LEAST_PASSWORD} characters")
    return password


Password = Annotated[
    Text, AfterValidator(_long_enough), StringConstraints(min_length=LEAST_PASSWORD, max_length=1024)
]


class Principal(Model):
    """Who a credential speaks for, as of `epoch`: identity's part of the entitlement.

    `group_ids` are all groups, nested ones and `grp_everyone` included; `groups` their names without everyone.
    """

    id: str
    username: str
    roles: tuple[Role, ...]
    scopes: tuple[Scope, ...]
    groups: tuple[str, ...]
    group_ids: tuple[str, ...]
    clearance: Level
    epoch: str
    session: str


class Authenticate(Model):
    """A bearer credential: an access token or an API key."""

    credential: str = Field(max_length=8192)


class Login(Model):
    username: Text = Field(max_length=256)
    password: Text = Field(max_length=1024)


class Tokens(Model):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name, not a secret
    expires_in_seconds: int


class Refresh(Model):
    refresh_token: Text = Field(max_length=1024)


class Logout(Model):
    refresh_token: Text = Field(max_length=1024)


class ChangePassword(Model):
    old_password: Text = Field(max_length=1024)
    new_password: Password


class SetPassword(Model):
    """A reset by the operator of the machine; it ends the user's sessions."""

    username: Text
    password: Password


class Me(Model):
    id: str
    username: str
    roles: tuple[Role, ...]
    groups: tuple[str, ...]
    clearance: Level
    scopes: tuple[Scope, ...]


class CreateUser(Model):
    username: Name
    password: Password
    roles: tuple[Role, ...] = ("member",)
    groups: tuple[Name, ...] = ()
    clearance: Level = "internal"


class User(Model):
    id: str
    username: str
    roles: tuple[Role, ...]
    groups: tuple[str, ...]
    clearance: Level
    created_at: Time


class UpdateUser(Change):
    """`name` is the user's name or id, from the path."""

    name: Text
    username: Name | None = None
    password: Password | None = None
    roles: tuple[Role, ...] | None = None
    groups: tuple[Name, ...] | None = None
    clearance: Level | None = None


class ByName(Model):
    """A user, group or key by its name or its id."""

    name: Text = Field(max_length=256)


class CreateGroup(Model):
    name: Name


class Group(Model):
    """A group and its direct members, as subjects."""

    id: str
    name: str
    members: tuple[str, ...]
    created_at: Time


class UpdateGroup(Change):
    """`group` is the group's name or id, from the path; `name` renames it."""

    group: Text
    name: Name | None = None


class Membership(Model):
    """A subject in a group; a group may hold groups, never in a circle."""

    group: Text = Field(max_length=256)
    subject: SubjectName


class CreateApiKey(Model):
    """A key acts for the caller who makes it, with at most the caller's own scopes (null: all of them)."""

    name: Text = Field(min_length=1, max_length=128)
    scopes: tuple[Scope, ...] | None = None
    expires_at: Time | None = None


class ApiKey(Model):
    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: Time
    expires_at: Time | None


class NewApiKey(ApiKey):
    """`key` is shown this once; only its hash is kept."""

    key: str


class UpdateApiKey(Change):
    """`key` is the key's name or id, from the path."""

    key: Text
    name: Text | None = Field(default=None, min_length=1, max_length=128)
    scopes: tuple[Scope, ...] | None = None
    expires_at: Time | None = None


class Subjects(Model):
    """Subjects by name (`user:ada`), to be turned into ids."""

    names: tuple[SubjectName, ...]


class SubjectIds(Model):
    """One id for each name asked, in order."""

    ids: tuple[str, ...]


class Ids(Model):
    ids: tuple[str, ...]


class SubjectNames(Model):
    """`names[id]` for each id that still exists."""

    names: dict[str, str]


class Jwks(Model):
    """JSON Web Key Set (RFC 7517)."""

    keys: tuple[dict[str, JsonValue], ...]


class UserMissing(Problem, status=404): ...


class GroupMissing(Problem, status=404): ...


class ApiKeyMissing(Problem, status=404): ...


class SubjectMissing(Problem, status=422):
    """A subject that is named but does not exist; `subject` names it."""


class NameTaken(Problem, status=409): ...


class GroupCircle(Problem, status=422):
    """The membership would put a group inside itself."""


class LastAdmin(Problem, status=409):
    """The change would leave nobody to administer."""


class WrongCredentials(Problem, status=401):
    """User name and password do not belong together; nothing says which of them is wrong."""


class Identity(Protocol):
    """Who is who."""

    @idempotent
    async def authenticate(self, request: Authenticate) -> Principal:
        """The principal a credential speaks for; Unauthenticated when expired, forged or revoked."""
        ...

    async def login(self, request: Login) -> Tokens:
        """A session: a short access token and a refresh token that is good for one use."""
        ...

    async def refresh(self, request: Refresh) -> Tokens:
        """New tokens for an unused refresh token; a used one ends the whole session."""
        ...

    @idempotent
    async def logout(self, request: Logout) -> Nothing:
        """End the session; its access tokens are refused from then on."""
        ...

    async def change_password(self, request: ChangePassword) -> Nothing:
        """The caller's own password; ends the caller's other sessions."""
        ...

    @idempotent
    async def set_password(self, request: SetPassword) -> Nothing:
        """Reset a password from the machine itself; not on the public table."""
        ...

    @idempotent
    async def me(self, request: Nothing) -> Me:
        """The caller."""
        ...

    async def create_user(self, request: CreateUser) -> User: ...

    @idempotent
    async def list_users(self, request: Paged) -> Page[User]: ...

    @idempotent
    async def get_user(self, request: ByName) -> User: ...

    @idempotent
    async def update_user(self, request: UpdateUser) -> User: ...

    @idempotent
    async def delete_user(self, request: ByName) -> Nothing: ...

    async def create_group(self, request: CreateGroup) -> Group: ...

    @idempotent
    async def list_groups(self, request: Paged) -> Page[Group]: ...

    @idempotent
    async def get_group(self, request: ByName) -> Group: ...

    @idempotent
    async def update_group(self, request: UpdateGroup) -> Group: ...

    @idempotent
    async def delete_group(self, request: ByName) -> Nothing: ...

    @idempotent
    async def add_member(self, request: Membership) -> Nothing: ...

    @idempotent
    async def remove_member(self, request: Membership) -> Nothing: ...

    async def create_api_key(self, request: CreateApiKey) -> NewApiKey: ...

    @idempotent
    async def list_api_keys(self, request: Paged) -> Page[ApiKey]: ...

    @idempotent
    async def get_api_key(self, request: ByName) -> ApiKey: ...

    @idempotent
    async def update_api_key(self, request: UpdateApiKey) -> ApiKey: ...

    @idempotent
    async def delete_api_key(self, request: ByName) -> Nothing: ...

    @idempotent
    async def subject_ids(self, request: Subjects) -> SubjectIds:
        """Ids for subject names; SubjectMissing names the first that does not exist."""
        ...

    @idempotent
    async def subject_names(self, request: Ids) -> SubjectNames:
        """Names for subject ids; those that are gone are left out."""
        ...

    @idempotent
    async def local_key(self, request: Nothing) -> NewApiKey:
        """A fresh key of the first admin for the command line of this machine; ends the one before. Not public."""
        ...

    @idempotent
    async def jwks(self, request: Nothing) -> Jwks:
        """The public keys that access tokens are signed with."""
        ...
