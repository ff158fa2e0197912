"""Operators that several architectures need, one file each."""
