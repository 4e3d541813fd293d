"""Indexed copies: built beside the shard that serves, then put in its place."""
