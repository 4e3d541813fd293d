"""The process that parses, and its parent's hold on it."""
