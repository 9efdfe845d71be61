"""Documents of OME-Zarr plates."""
