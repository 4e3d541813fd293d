"""The Python client of Muniment's HTTP API."""

from muniment.sdk.client import File, Muniment

__all__ = ["File", "Muniment"]
