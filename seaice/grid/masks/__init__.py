"""Land, lakes and where ice may be."""
