"""Documents and names of Opera Phenix and Operetta."""
