"""The documents room; others import its contract only."""
