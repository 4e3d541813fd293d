"""The vectors room; others import its contract only."""
