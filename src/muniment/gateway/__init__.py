"""The gateway room; others import its contract only."""
