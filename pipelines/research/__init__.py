"""Experiments and checks that are run from the repository and are not installed."""
