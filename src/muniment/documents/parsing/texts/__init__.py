"""Files that are text: prose, markup, code, data."""
