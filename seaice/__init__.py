"""Daily sea-ice concentration maps from AMSR2 swaths, four times finer than their usual grid."""

__version__ = "0.1.0"
