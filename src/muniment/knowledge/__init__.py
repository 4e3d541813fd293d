"""The knowledge room; others import its contract only."""
