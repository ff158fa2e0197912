"""Swaths in, daily maps out."""
