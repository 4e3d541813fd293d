"""Rerankers: models that read query and passage together and judge anew what the search found best."""
