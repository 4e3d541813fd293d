"""The identity room; others import its contract only."""
