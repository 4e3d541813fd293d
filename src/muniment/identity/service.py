"""Identity on one SQL database: sign-in, people and API keys together answer the contract."""

from muniment.identity.api_keys import ApiKeys
from muniment.identity.people import People
from muniment.identity.sign_in import SignIn


class SqlIdentity(SignIn, People, ApiKeys):
    """Who is who, from tables."""
