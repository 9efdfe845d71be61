"""Documents and tables of ImageXpress HCS.ai."""
