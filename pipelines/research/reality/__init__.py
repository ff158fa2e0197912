"""Simulated days compared with real observations: `python -m pipelines.research.reality`."""
