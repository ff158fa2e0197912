"""`python -m seaice.cli` is `seaice`."""

from seaice.cli import app

app(prog_name="seaice")
