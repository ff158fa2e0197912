"""A season as one store."""
