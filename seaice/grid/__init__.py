"""Grids, masks, and gridding of swaths to daily maps."""
