"""Samples in, weights out: recipes, single models, comparisons of what brings what."""
