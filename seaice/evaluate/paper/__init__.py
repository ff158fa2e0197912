"""Figures and tables as a journal prints them."""
