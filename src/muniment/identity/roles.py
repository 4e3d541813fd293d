"""What each role may do."""

from collections.abc import Iterable
from typing import get_args

from muniment.identity.contract import Role, Scope

_MEMBER: frozenset[Scope] = frozenset({"documents:read", "documents:write"})

SCOPES_OF: dict[Role, frozenset[Scope]] = {
    "viewer": frozenset({"documents:read"}),
    "member": _MEMBER,
    "engineer": _MEMBER,
    "product_manager": _MEMBER,
    "editor": _MEMBER,
    "admin": _MEMBER | {"collections:admin", "users:admin", "monitoring:read", "config:admin"},
}


def scopes_of(roles: Iterable[Role]) -> frozenset[Scope]:
    """All that any of `roles` may do."""
    return frozenset[Scope]().union(*(SCOPES_OF[role] for role in roles))


def in_order(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """`scopes` in the order of the contract, each once."""
    held = set(scopes)
    return tuple(scope for scope in get_args(Scope) if scope in held)
