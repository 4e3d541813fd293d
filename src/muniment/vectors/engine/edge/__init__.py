"""Qdrant Edge: shards in this process."""
