"""The retrieval room; others import its contract only."""
