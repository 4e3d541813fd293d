"""The generation room; others import its contract only."""
