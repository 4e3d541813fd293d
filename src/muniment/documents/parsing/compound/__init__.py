"""Files that hold others: e-mail, books."""
