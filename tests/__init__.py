"""Tests of the package; `tests.support` holds what they share."""
