"""What keeps the points: one query and filter model (the contract's), and a thin driver for each engine."""
