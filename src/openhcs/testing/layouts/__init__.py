"""Makers of plates, one file per vendor's layout."""
