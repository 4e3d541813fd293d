"""The collections room; others import its contract only."""
