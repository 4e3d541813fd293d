"""From a file's bytes to text with its structure, in a child process that may not harm the house."""
