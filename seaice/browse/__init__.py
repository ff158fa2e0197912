"""Products as a page of a browser: served from this machine, or written as static files."""
