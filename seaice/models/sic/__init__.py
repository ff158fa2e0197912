"""Concentration models, one file an architecture; `seaice.models.registry` lists them."""
