"""OME-XML and the files that it names."""
