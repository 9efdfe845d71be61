"""Names with a fixed set of values."""
