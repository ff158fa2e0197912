"""Harm done on purpose: runs that are killed, disks that fill, granules that are damaged."""
