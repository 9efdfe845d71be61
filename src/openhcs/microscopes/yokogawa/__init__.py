"""Documents and names of the CellVoyager."""
