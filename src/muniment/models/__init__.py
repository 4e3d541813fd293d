"""The models room; others import its contract only."""
