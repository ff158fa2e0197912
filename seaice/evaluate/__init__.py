"""Two maps in, how far they are apart out, and how sure that is."""
