"""Verbs that only look something up start quickly: what takes seconds to import is not imported."""

import json
import subprocess
import sys

from seaice import __version__
from seaice.grid.grid import grid_of
from seaice.product.folder import write_product
from tests.support.products import made_product

#: Each takes between half a second and four seconds to import.
SLOW = ("torch", "numba", "distributed", "dask", "xarray", "pandas", "scipy", "matplotlib")
PROGRAM = """
import sys
from typer.testing import CliRunner
from seaice.cli import app

for line in sys.argv[2:]:
    result = CliRunner().invoke(app, line.split())
    assert result.exit_code == 0, (line, result.output, result.exception)
    loaded = [name for name in sys.argv[1].split() if name in sys.modules]
    assert not loaded, (line, loaded)
    print(result.output.splitlines()[0])
"""


def test_light_verbs_import_nothing_that_is_slow(tmp_path):
    product = made_product(side=(18, 32))
    provenance = {"status": "final", "warnings": [], "granules": {}}
    product.attrs["provenance"] = json.dumps(provenance)
    folder = tmp_path / "seaice_sic_north_20200303_v0.1"
    write_product(product, folder, ("zarr",))
    longitude, latitude = (angle[10, 10] for angle in grid_of(product).lonlat())
    lines = [
        "--version",
        "--help",
        "daily --help",
        "models",
        "daily --show-settings",
        f"status {tmp_path}",
        f"why {folder} {longitude} {latitude}",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, " ".join(SLOW), *lines],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    first = ran.stdout.splitlines()[0]
    assert first == f"seaice {__version__}"
