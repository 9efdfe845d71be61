"""Documents, names and image headers of ImageXpress."""
