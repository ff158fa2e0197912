"""Products, truths, other services' maps and charts in, fields on common cells out."""
