"""Good files in, bad ones out: granules, settings, weights, maps of other services."""
