"""Text as every room sees it: the terms it is found by, and its sentences."""
