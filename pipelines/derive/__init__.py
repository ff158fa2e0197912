"""Scripts that made the data files of the package; run by hand."""
