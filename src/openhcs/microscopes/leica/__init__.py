"""Documents and names of the Matrix Screener."""
