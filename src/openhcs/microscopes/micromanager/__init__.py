"""Metadata and names of Micro-Manager."""
