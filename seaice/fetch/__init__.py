"""Granules from their archives: found by date, brought whole, a bad network outwaited."""
