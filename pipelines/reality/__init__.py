"""The simulated days beside real observations: `python -m pipelines.reality`."""
