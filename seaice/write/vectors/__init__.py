"""A map as lines and polygons."""
