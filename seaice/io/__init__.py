"""Files in, swaths out."""
