"""Reading and fetching of input files."""
