"""Coarse stacks in, fine brightness temperature out."""
