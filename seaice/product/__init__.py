"""Products read back: opened, looked at cell by cell, drawn."""
