"""The embedding room; others import its contract only."""
