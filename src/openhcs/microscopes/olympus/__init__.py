"""Documents and names of ScanR."""
