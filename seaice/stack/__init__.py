"""Daily maps in, five-frame stacks out."""
