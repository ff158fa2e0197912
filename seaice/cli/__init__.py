"""The command line: `seaice`, one verb a stage."""

from seaice.cli.verbs import app

__all__ = ["app"]
