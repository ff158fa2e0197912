"""One scene instead of a day: a file read as if it were a swath, its map, its page."""
