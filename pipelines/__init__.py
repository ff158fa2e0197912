"""Compositions of stages: what a command does from beginning to end."""
