"""From text with its structure to chunks and their parents."""
