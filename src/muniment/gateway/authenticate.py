"""Who is asking: a bearer credential becomes the caller, with both parts of the entitlement joined."""

from muniment.collections.contract import Collections, Entitle
from muniment.identity.contract import Authenticate, Identity
from muniment.kernel.caller import Caller
from muniment.kernel.problems import Forbidden, Unauthenticated

_LONGEST = 8192
_MOST = 10_000


class Gate:
    """Lets callers in, once a request."""

    def __init__(self, identity: Identity, collections: Collections) -> None:
        self._identity, self._collections = identity, collections
        self._known: dict[tuple[str, ...], Caller] = {}

    async def admit(self, authorization: str | None, request_id: str, scopes: tuple[str, ...] = ()) -> Caller:
        """The caller that an `Authorization` header speaks for.

        Raises Unauthenticated, and Forbidden when the caller holds none of `scopes`, where some are named.
        """
        who = await self._identity.authenticate(Authenticate(credential=_credential(authorization)))
        if scopes and not any(scope in who.scopes for scope in scopes):
            wanted = " or ".join(scopes)
            raise Forbidden(f"this needs the scope {wanted}; ask an admin for a role or key with it", scope=wanted)
        own = await self._collections.entitle(
            Entitle(principal=who.id, group_ids=who.group_ids, clearance=who.clearance)
        )
        # The epochs move with everything that a caller is made of, so what they name never goes stale.
        key = (who.epoch, own.epoch, who.id, who.session, *who.scopes)
        known = self._known.get(key)
        if known is None:
            known = Caller(
                principal=who.id,
                name=who.username,
                roles=frozenset(who.roles),
                scopes=frozenset(who.scopes),
                tokens=frozenset({who.id, *who.group_ids, *own.tokens}),
                withheld=frozenset(own.withheld),
                epoch=f"{who.epoch}.{own.epoch}",
                session=who.session,
            )
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = known
        return known.model_copy(update={"request_id": request_id})


def _credential(authorization: str | None) -> str:
    scheme, _, credential = (authorization or "").strip().partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer" or not credential:
        raise Unauthenticated("no credential: send `Authorization: Bearer <access token or API key>`")
    if len(credential) > _LONGEST:
        raise Unauthenticated("the credential is none of ours: it is too long")
    return credential
