"""Products in, files out."""
