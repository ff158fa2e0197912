"""Samples in, weights out: recipes, single lessons, comparisons of what brings what."""
